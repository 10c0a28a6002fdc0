import { delay } from "jsr:@std/async@^1.5.0/delay";

/** How long nothing must have happened, in milliseconds. */
const QUIET_TIME = 25;

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
  for (let last = NaN; last !== progress();) {
    const left = end - performance.now();
    if (left <= 0 || signal.aborted) return;
    last = progress();
    await delay(Math.min(QUIET_TIME, left), { signal }).catch(() => {});
  }
}
