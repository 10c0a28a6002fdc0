import { delay } from "jsr:@std/async@^1.5.0/delay";
import { Turn } from "./_turn.ts";

/** How long nothing must have happened, in milliseconds. */
const QUIET_TIME = 25;
/**
 * How often that is looked at. After one look alone a process that was busy for that
 * long would take its own silence for the peer's: between looks it can read. A look does
 * not count if the turns of others have kept it from that.
 */
const LOOKS = 5;

/**
 * Settles once a number has not changed for a little while, or `signal` aborts,
 * or `limit` milliseconds have passed.
 */
export async function untilQuiet(
  progress: () => number,
  limit: number,
  signal: AbortSignal,
): Promise<void> {
  const end = performance.now() + limit;
  let read = Turn.looks;
  for (let quietLooks = 0; quietLooks < LOOKS;) {
    const left = end - performance.now();
    if (left <= 0 || signal.aborted) return;
    const last = progress();
    await delay(Math.min(QUIET_TIME / LOOKS, left), { signal }).catch(() => {});
    if (progress() !== last) quietLooks = 0;
    else if (Turn.looks === undefined || Turn.looks !== read) quietLooks++;
    read = Turn.looks;
  }
}
