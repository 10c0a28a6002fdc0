import { abortable } from "jsr:@std/async@^1.5.0/abortable";
import { assertTime } from "./_assert.ts";
import { toStreamError } from "./_stream_error.ts";
import { timeLimit } from "./_time_limit.ts";

/** The default deadline of a connect with all its handshakes, in milliseconds. */
export const DEFAULT_CONNECT_TIMEOUT = 10_000;

/** A wait that can be given up. */
export interface WaitOptions {
  /** Deadline in milliseconds; 0 is none. */
  timeout?: number;
  /** Gives up with the signal's own reason. */
  signal?: AbortSignal;
}

/**
 * Runs `start` under a deadline and a signal, for things that must be let go of
 * when they come too late: whatever `start` yields after that is closed.
 *
 * @param action For the error text: `connect to 127.0.0.1:80`.
 * @param start Begins the work. Its signal tells it to stop, so that what it
 * holds half made (a socket in its handshake) is closed at once.
 */
export async function establish<T extends { close(): unknown }>(
  action: string,
  start: (signal: AbortSignal) => Promise<T>,
  { timeout = DEFAULT_CONNECT_TIMEOUT, signal }: WaitOptions,
): Promise<T> {
  assertTime("timeout", timeout);
  signal?.throwIfAborted();
  const clock = new AbortController();
  using _ = timeLimit(
    timeout,
    `Cannot ${action} as it took longer than ${timeout} ms`,
    (error) => clock.abort(error),
  );
  const both = signal ? AbortSignal.any([signal, clock.signal]) : clock.signal;
  const starting = start(both);
  try {
    return await abortable(starting, both);
  } catch (error) {
    // It may have been closed already by the same signal, which throws here.
    starting.then((late) => late.close()).catch(() => {});
    both.throwIfAborted();
    throw toConnectError(error, action);
  }
}

/** The error that a failed attempt to connect is reported as. */
export function toConnectError(error: unknown, action: string): unknown {
  return isLasting(error) ? error : toStreamError(error, action);
}

/**
 * Whether an error is misuse or a missing permission, which stay what they are:
 * another attempt would fail as well.
 */
export function isLasting(error: unknown): boolean {
  return error instanceof TypeError || error instanceof Deno.errors.NotCapable;
}
