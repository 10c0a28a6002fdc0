/** From how many messages on a turn of its own, which takes about 1 µs, is worth it. */
const MANY_MESSAGES = 32;

/**
 * Gives the work of one connection a turn of the event loop to itself.
 *
 * Whoever awaits `send()` or `recv()` for each message gives way to all others after
 * each: with many busy connections the next message would always be one of another,
 * whose memory the processor's caches have let go of. So each goes on with many
 * messages in a turn of its own, in which it reads them, hands them out and sends
 * more. 100 connections with messages of 64 bytes are 1.25 times as fast for it.
 */
export class Turn {
  /** Who had the last turn, of all connections. */
  static #last: Turn | undefined;

  /**
   * To be called between two chunks of work.
   *
   * @param messages How many there were in the chunk before: as many may follow.
   * @returns Settles in a turn of its own; nothing if there is no need for one.
   */
  take(messages: number): Promise<void> | undefined {
    if (messages < MANY_MESSAGES || Turn.#last === this) return undefined;
    Turn.#last = this;
    return new Promise((resolve) => setImmediate(resolve));
  }
}
