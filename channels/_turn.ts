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
  /** Whose turn it is, or was last, of all connections. */
  static #current: Turn | undefined;

  #coming: Promise<void> | undefined;
  /** Messages sent in the turns of others since its own. */
  #sentOutside = 0;

  /** Whether it has asked for a turn that has not begun. */
  get isComing(): boolean {
    return this.#coming !== undefined;
  }

  /**
   * To be called before messages are handed out, or after some have left.
   *
   * @param messages How many.
   * @returns Settles in a turn of its own; nothing if there is no need for one. One
   * that is to come is for all that the connection does until then.
   */
  take(messages: number): Promise<void> | undefined {
    if (Turn.#current === this) return undefined;
    if (this.#coming || messages < MANY_MESSAGES) return this.#coming;
    return this.#coming = new Promise((resolve) =>
      setImmediate(() => {
        Turn.#current = this;
        this.#coming = undefined;
        this.#sentOutside = 0;
        resolve();
      })
    );
  }

  /**
   * To be called for each message that is sent: of many connections that begin at
   * once each would else send all of its first chunk between those of the others.
   *
   * @returns As {@linkcode take}, for the messages since the last turn.
   */
  send(): Promise<void> | undefined {
    return Turn.#current === this ? undefined : this.take(++this.#sentOutside);
  }
}
