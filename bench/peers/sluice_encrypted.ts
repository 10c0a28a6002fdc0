/** Participant: Sluice, encrypted with a shared key. */
import { EncryptedChannel } from "@sluice/sluice";
import { playChannel, sharedKey } from "./_sluice.ts";

const key = await sharedKey();
await playChannel((stream) => new EncryptedChannel(stream, key));
