import { delay } from "jsr:@std/async@^1.5.0/delay";
import type { Channel } from "../channels/channel.ts";

export { describe } from "../streams/_stream_error.ts";

/** What ends a line. */
export const NEW_LINE: Uint8Array = new TextEncoder().encode("\n");

/** Resolves once `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** How long the close of a channel goes on once a user does not want to wait, in milliseconds. */
const CLOSE_GRACE = 500;

/**
 * What closes `channel` at its disposal. Once `signal` has aborted, that takes no
 * longer than a moment: a command that does not exit is killed.
 */
export function closing(
  channel: Channel,
  signal: AbortSignal,
): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      const closed = channel.close();
      const enough = aborted(signal).then(() => delay(CLOSE_GRACE));
      await Promise.race([closed, enough]);
      channel.abort(signal.reason);
      await closed;
    },
  };
}
