import { delay } from "jsr:@std/async@^1.5.0/delay";
import type { Channel } from "../channels/channel.ts";
import { ConnectionLostError, StreamTimeoutError } from "../errors.ts";
import { assertInteger, assertTime } from "../streams/_assert.ts";
import { onAbort } from "../streams/_on_abort.ts";

/** Options of {@linkcode reconnecting}. */
export interface ReconnectingOptions {
  /**
   * How many attempts may fail in a row, without limit by default. A channel
   * that was lost before `resetAfter` is such a failure.
   */
  maxAttempts?: number;
  /** The pause after the first failure in milliseconds, 100 by default; each further one doubles it. */
  minDelay?: number;
  /** The longest pause in milliseconds, 30,000 by default. */
  maxDelay?: number;
  /**
   * Which part of a pause is random, 0 to 1, by default 1: a pause is then from
   * nothing to all of it, so that the clients of a server that restarts do not
   * come back all at once.
   */
  jitter?: number;
  /**
   * A channel that lasted so long starts the pauses and attempts afresh when it
   * is lost, in milliseconds, 1,000 by default. Without that, a server that
   * accepts and closes at once would be asked without a pause.
   */
  resetAfter?: number;
  /**
   * Whether an error of `connect` may pass, so that another attempt is worth it. By
   * default a `ConnectionLostError` and a `StreamTimeoutError` may, and misuse may
   * not. A server that has another key hangs up like one that restarts: give
   * `maxAttempts` where that is not to go on for ever.
   */
  isRetriable?: (error: unknown) => boolean;
  /** Ends it: the channel given last is aborted with the signal's `reason`, with which it rejects. */
  signal?: AbortSignal;
}

/**
 * Gives a channel, and after each loss a new one, for as long as somebody asks.
 *
 * It resends nothing. What was sent on a lost channel may have arrived or not, and
 * only the two sides know how to find out: numbers in the messages, say, and a
 * first message on each new channel that tells where to go on.
 *
 * - Asking for the next channel, and leaving the loop, closes the one before.
 * - Failed attempts, and channels lost early, are followed by longer and longer
 *   pauses, shortened at random.
 *
 * @param connect Makes a channel, such as
 * `(signal) => connect({ hostname, port, signal })`; the signal is that of `options`,
 * or one that is never aborted.
 * @param options Limits of attempts and pauses, and a signal.
 * @returns A generator. It rejects with the error of the last attempt, once there
 * have been `maxAttempts` in a row or it is not worth another, or with the
 * signal's `reason`.
 *
 * @example
 * ```ts
 * import { connect, reconnecting, serve } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * let calls = 0; // The first two connections are lost at once.
 * await using server = serve({ port: 0 }, async (channel) => {
 *   if (++calls > 2) await channel.send(new Uint8Array([calls]));
 * });
 *
 * const received: Uint8Array[] = [];
 * const channels = reconnecting(
 *   (signal) => connect({ port: server.addr.port, signal }),
 *   { minDelay: 10, maxAttempts: 5 },
 * );
 * for await (const channel of channels) {
 *   for await (const message of channel) received.push(message);
 *   if (received.length > 0) break;
 * }
 * assertEquals(received, [new Uint8Array([3])]);
 * ```
 */
export function reconnecting(
  connect: (signal: AbortSignal) => Promise<Channel>,
  options: ReconnectingOptions = {},
): AsyncGenerator<Channel> {
  const { maxAttempts = Infinity, resetAfter = 1000, minDelay = 100 } = options;
  const { maxDelay = 30_000, jitter = 1, isRetriable = canPass } = options;
  if (maxAttempts !== Infinity) {
    assertInteger("maxAttempts", maxAttempts, 1);
  }
  assertTime("resetAfter", resetAfter);
  assertTime("minDelay", minDelay);
  assertTime("maxDelay", maxDelay);
  if (!(jitter >= 0 && jitter <= 1)) {
    throw new RangeError(
      `Cannot use jitter as it must be from 0 to 1: current value is ${jitter}`,
    );
  }
  const { signal = new AbortController().signal } = options;
  const policy = { maxAttempts, resetAfter, minDelay, maxDelay, jitter };
  return generate(connect, { ...policy, isRetriable, signal });
}

async function* generate(
  connect: (signal: AbortSignal) => Promise<Channel>,
  { signal, ...policy }: Required<ReconnectingOptions>,
): AsyncGenerator<Channel> {
  const { maxAttempts, resetAfter, minDelay, maxDelay, jitter } = policy;
  let failures = 0; // In a row.
  for (;;) {
    signal.throwIfAborted();
    const { channel, error } = await attempt(connect, signal);
    let failure = error;
    if (channel) {
      const duration = yield* lend(channel, signal);
      signal.throwIfAborted();
      failures = duration >= resetAfter ? 0 : failures + 1;
      failure = new ConnectionLostError(
        `Cannot keep a channel as it must last >= ${resetAfter} ms: the last was lost after ${duration} ms`,
      );
    } else {
      signal.throwIfAborted();
      if (!policy.isRetriable(error)) throw error;
      failures++;
    }
    if (failures >= maxAttempts) throw failure;
    const longest = minDelay * 2 ** Math.max(failures - 1, 0);
    const pause = Math.min(longest, maxDelay) * (1 - jitter * Math.random());
    await delay(pause, { signal });
  }
}

/** Gives a channel until the next is asked for, then how long it lasted, in milliseconds. */
async function* lend(
  channel: Channel,
  signal: AbortSignal,
): AsyncGenerator<Channel, number> {
  const started = performance.now();
  const lasted = channel.finished.then(() => performance.now() - started);
  using _ = onAbort(signal, () => channel.abort(signal.reason));
  try {
    signal.throwIfAborted();
    yield channel;
  } finally {
    await channel.close();
  }
  return Math.round(await lasted);
}

async function attempt(
  connect: (signal: AbortSignal) => Promise<Channel>,
  signal: AbortSignal,
): Promise<{ channel?: Channel; error?: unknown }> {
  try {
    return { channel: await connect(signal) };
  } catch (error) {
    return { error };
  }
}

function canPass(error: unknown): boolean {
  return error instanceof ConnectionLostError ||
    error instanceof StreamTimeoutError;
}
