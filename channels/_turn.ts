import { Fifo } from "../streams/_fifo.ts";

/** From how many messages on a turn of its own, which takes some µs, is worth it ... */
const MANY_MESSAGES = 32;
/** ... and from how many bytes. */
const MANY_BYTES = 16_384;
/** For how long there may be less without one, in milliseconds: in memory one round could go on for ever. */
const MAX_WITHOUT = 10;
/** That is looked at for each 8th chunk. */
const CHUNKS_MASK = 7;
/** How long a turn lasts, in milliseconds. */
const TURN_TIME = 0.5;
/** In how many rounds of the event loop the runtime looks for what has arrived, ... */
const ROUNDS = 61;
/** ... and for how long turns may keep it from that, in milliseconds. */
const MAX_HOLD = 50;

/** The platform's, even where tests put another in its place: all wait in one queue. */
const nextRound = setImmediate;

/**
 * Gives the work of one connection a turn of the event loop to itself, for a while.
 *
 * Whoever awaits `send()` or `recv()` for each message gives way to all others after
 * each: with many busy connections the next message would always be one of another,
 * whose memory the processor's caches have let go of. So each goes on with many
 * messages in a turn of its own, in which it reads them, hands them out and sends
 * more. What it read before its turn has gone cold by then, so the turns come one at
 * a time: in one round of the event loop the runtime reads no more than 128 times at
 * once. With 1000 connections messages of 64 bytes are 1.8 times as fast as with all
 * turns in one round, those of 1 KiB 1.4 times.
 *
 * A turn is short, as the runtime looks for what else has arrived only each 61st round
 * while there is always something to do. Beside a connection that never pauses others
 * get an answer after 30 ms, and without turns after 300. Where the work for one message
 * takes longer than a turn, as to compress a large one does, there are rounds without a
 * turn now and then, which take no time, so that the runtime looks.
 */
export class Turn {
  /** Whose turn it is, or was last, of all connections. */
  static #current: Turn | undefined;
  /** Who waits for one. */
  static readonly #waiting = new Fifo<Turn>();
  /** Whether turns follow each other. */
  static #running = false;
  /** When, and how many rounds ago, the runtime has surely looked for what has arrived. */
  static #lookedAt = 0;
  static #rounds = 0;

  #coming: PromiseWithResolvers<void> | undefined;
  /** When the current turn is over. */
  #end = 0;
  /** Counts chunks, see CHUNKS_MASK. */
  #chunks = 0;

  /** Whether it waits for one. */
  get isComing(): boolean {
    return this.#coming !== undefined;
  }

  /**
   * To be called before the messages of a chunk are handed out, or after they have
   * left.
   *
   * @param messages How many.
   * @param bytes The length of the chunk.
   * @returns Settles in a turn of its own; nothing if there is no need for one. One
   * that is to come is for all that the connection does until then.
   */
  take(messages: number, bytes: number): Promise<void> | undefined {
    if (Turn.#current === this && performance.now() < this.#end) {
      return undefined;
    }
    const isMuch = messages >= MANY_MESSAGES || bytes >= MANY_BYTES ||
      this.#isDue();
    if (isMuch && !this.#coming) {
      this.#coming = Promise.withResolvers();
      Turn.#waiting.push(this);
      if (!Turn.#running) Turn.#start();
    }
    return this.#coming?.promise;
  }

  /**
   * To be called for each message that is sent: of many connections that begin at
   * once each would else send all of its first chunk between those of the others.
   *
   * @param messages How many are about to leave together.
   * @returns As {@linkcode take}; nothing in its own turn.
   */
  send(messages: number): Promise<void> | undefined {
    return Turn.#current === this ? undefined : this.take(messages, 0);
  }

  /** Whether it has been too long without one. */
  #isDue(): boolean {
    this.#chunks = (this.#chunks + 1) & CHUNKS_MASK;
    return this.#chunks === 0 && performance.now() > this.#end + MAX_WITHOUT;
  }

  static #start(): void {
    Turn.#running = true;
    Turn.#rounds = 0;
    Turn.#lookedAt = performance.now();
    nextRound(Turn.#next);
  }

  static #next(): void {
    const turn = Turn.#waiting.peek();
    if (turn === undefined) {
      Turn.#running = false;
      return;
    }
    nextRound(Turn.#next);
    const now = performance.now();
    if (++Turn.#rounds > ROUNDS) {
      Turn.#rounds = 0;
      Turn.#lookedAt = now;
    }
    if (now - Turn.#lookedAt >= MAX_HOLD) return; // Until the runtime has looked.
    Turn.#waiting.shift();
    Turn.#current = turn;
    turn.#end = now + TURN_TIME;
    const { resolve } = turn.#coming!;
    turn.#coming = undefined;
    resolve();
  }
}
