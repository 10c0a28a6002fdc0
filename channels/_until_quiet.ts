import { delay } from "jsr:@std/async@^1.5.0/delay";

/** How long nothing must have happened, in milliseconds. */
const QUIET_TIME = 25;
/**
 * How often that is looked at. After one look alone a process that was busy for that
 * long would take its own silence for the peer's: between looks it can read.
 */
const LOOKS = 5;
/** While there is always something to do, the runtime reads each 61st round only. */
const ROUNDS = 64;

/** The platform's, even where tests put another in its place. */
const nextRound = setImmediate;

/**
 * Settles once a number has not changed for a little while, in which the runtime has
 * surely read what was there, or `signal` aborts, or `limit` milliseconds have passed.
 */
export async function untilQuiet(
  progress: () => number,
  limit: number,
  signal: AbortSignal,
): Promise<void> {
  const end = performance.now() + limit;
  const isOver = () => performance.now() >= end || signal.aborted;
  for (let quietLooks = 0; quietLooks <= LOOKS && !isOver();) {
    const last = progress();
    if (quietLooks < LOOKS) {
      const left = Math.min(QUIET_TIME / LOOKS, end - performance.now());
      await delay(left, { signal }).catch(() => {});
    } else {
      for (let round = 0; round < ROUNDS && !isOver(); round++) {
        await new Promise<void>((resolve) => nextRound(() => resolve()));
      }
    }
    quietLooks = progress() === last ? quietLooks + 1 : 0;
  }
}
