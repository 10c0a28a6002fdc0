/** Participant: Sluice, messages over the default threshold compressed at the default level. */
import { CompressedChannel } from "@sluice/sluice";
import { playChannel } from "./_sluice.ts";

await playChannel((stream) => new CompressedChannel(stream));
