/** Participant: Sluice, compressed, in batches, and encrypted. */
import { EncryptedChannel } from "@sluice/sluice";
import { playChannel, sharedKey } from "./_sluice.ts";

const key = await sharedKey();
await playChannel(
  (stream) =>
    new EncryptedChannel(stream, key, { compression: {}, batching: {} }),
  { flush: true },
);
