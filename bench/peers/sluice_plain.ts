/** Participant: Sluice's Channel as it comes. */
import { Channel } from "@sluice/sluice";
import { playChannel } from "./_sluice.ts";

await playChannel((stream) => new Channel(stream));
