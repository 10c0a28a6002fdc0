/** Participant: Sluice, in batches of the default size, flushed in round trips. */
import { BatchingChannel } from "@sluice/sluice";
import { playChannel } from "./_sluice.ts";

await playChannel((stream) => new BatchingChannel(stream), { flush: true });
