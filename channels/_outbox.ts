import { recycle } from "./_chunk_pool.ts";
import { Fifo } from "../streams/_fifo.ts";
import { FRAME_OVERHEAD } from "./_frame.ts";
import type { ChunkSource } from "../streams/_chunks.ts";
import { withdrawable } from "../streams/_withdrawable.ts";
import type { ChunkSizes } from "./_chunk_sizes.ts";
import { type EncodedChunk, FrameEncoder } from "./_frame_encoder.ts";
import { handled, rejectHandled } from "./_handled.ts";
import type { Turn } from "./_turn.ts";

/** A message that waits for room. */
interface Waiter {
  readonly send: () => Promise<void> | undefined;
  readonly accepted: PromiseWithResolvers<void>;
}

/** Whose outbox it is. */
interface Owner {
  /** The pipeline has failed. */
  onOutboundFailure(reason: unknown): void;
}

/**
 * The sending end of a channel: encodes messages into the chunk being filled
 * and hands out chunks as fast as the pipeline takes them. The first message
 * after a pause leaves at once; what is sent while a chunk is under way leaves
 * together in the next. No timer, no added latency.
 *
 * Accepted bytes count until the first stage has consumed their chunk. Above
 * the high water mark messages wait, first come, first served.
 */
export class Outbox implements ChunkSource {
  #encoder: FrameEncoder;
  readonly #highWaterMark: number;
  /** The high water mark, or 0 while messages wait. */
  #limit: number;
  readonly #recycles: boolean;
  readonly #owner: Owner;
  #readable: ReadableStream<Uint8Array> | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #queuedBytes = 0;
  #accepted = 0;
  /** The chunk that was handed out last, until the first stage has consumed it. */
  #underWay: EncodedChunk | undefined;
  /** Its length: a stream may have taken its memory away by then. */
  #sizeUnderWay = 0;
  readonly #waiting = new Fifo<Waiter>();
  readonly #barriers = new Fifo<PromiseWithResolvers<void>>();
  /** One for each payload in use. */
  readonly #borrowed = new Fifo<PromiseWithResolvers<void>>();
  /** Settles the `next()` that waits, and the end of the turn that it waits for. */
  #taker:
    | ((chunk: Promise<never> | Uint8Array | undefined) => void)
    | undefined;
  #endOfTurn: ReturnType<typeof setImmediate> | undefined;
  readonly #turn: Turn;
  #ending = false;
  #failure: { readonly reason: unknown } | undefined;

  /**
   * @param highWaterMark In bytes.
   * @param sizes Of the chunks.
   * @param keeps Whether chunks stay with us until they are written or encrypted.
   * @param recycles Whether the first stage leaves no trace of a chunk once it
   * has consumed it, so that its memory can be used again.
   * @param turn The channel's.
   * @param owner Told when nobody will take any more.
   */
  constructor(
    highWaterMark: number,
    sizes: ChunkSizes,
    { keeps, recycles }: { keeps: boolean; recycles: boolean },
    turn: Turn,
    owner: Owner,
  ) {
    this.#turn = turn;
    this.#highWaterMark = highWaterMark;
    this.#limit = highWaterMark;
    this.#encoder = new FrameEncoder(sizes, keeps);
    this.#recycles = recycles;
    this.#owner = owner;
  }

  /** The chunks as a stream, for the stages after this; {@linkcode next} is the same without. */
  get readable(): ReadableStream<Uint8Array> {
    return this.#readable ??= new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: async (controller) => {
        const chunk = await this.next();
        if (chunk) controller.enqueue(chunk);
        else controller.close();
      },
      cancel: (reason) => this.cancel(reason),
    }, { highWaterMark: 0 });
  }

  /** Bytes accepted and not yet consumed. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** How many messages were accepted so far; heartbeats are none. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Messages in the chunk that was handed out last. */
  get framesUnderWay(): number {
    return this.#underWay?.frames ?? 0;
  }

  /** Whether the chunk that was handed out last begins within a message. */
  get beginsWithinMessage(): boolean {
    return this.#underWay?.continues === true;
  }

  /** Whether all of a message is copied as it is accepted. */
  copies(payload: Uint8Array): boolean {
    return this.#encoder.copies(payload);
  }

  /** Whether a message would be accepted at once. */
  get hasRoom(): boolean {
    return this.#queuedBytes < this.#limit;
  }

  /**
   * Accepts a message, for which there must be room.
   *
   * @returns Settles when the payload is no longer in use, or if it was copied, when
   * it is the channel's turn to send more; nothing if that is now.
   */
  put(payload: Uint8Array, compressed: boolean): Promise<void> | undefined {
    this.#accepted++;
    return this.#append(payload, compressed) ??
      this.#turn.send(this.#encoder.frames);
  }

  /** Accepts a heartbeat. */
  beat(): void {
    this.#append(EMPTY, false);
  }

  /**
   * Calls `send` in turn as soon as there is room, and settles as it does.
   *
   * @param signal Withdraws it while it waits.
   */
  putLater(
    send: () => Promise<void> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const accepted = Promise.withResolvers<void>();
    const waiter: Waiter = { send, accepted };
    this.#waiting.push(waiter);
    this.#limit = 0; // Nobody may overtake it.
    if (!signal) return accepted.promise;
    return handled(withdrawable(accepted, signal, () => {
      this.#waiting.remove(waiter);
      if (this.#waiting.size === 0) this.#limit = this.#highWaterMark;
    }));
  }

  /**
   * The next chunk, once there is one; to be called when the one before has been
   * consumed. A chunk of no length marks a place, see {@linkcode barrier}.
   */
  next(): Promise<Uint8Array | undefined> {
    const hasMore = !this.#encoder.isEmpty || this.#waiting.size > 0;
    const turn = hasMore && this.#barriers.size === 0
      ? this.#turn.take(this.framesUnderWay, this.#sizeUnderWay)
      : undefined; // Somebody waits for what has left.
    return turn ? turn.then(() => this.#next()) : this.#next();
  }

  /** To be called when nobody will take any more. */
  cancel(reason: unknown): void {
    this.#owner.onOutboundFailure(reason);
  }

  /** Settles when all that was accepted before, or waits, has passed the last stage. */
  flush(): Promise<void> {
    return this.#waiting.size === 0
      ? this.barrier()
      : this.putLater(() => this.barrier(), undefined);
  }

  /** Settles when all that was accepted before has passed the last stage. */
  barrier(): Promise<void> {
    this.#encoder.mark();
    this.#wakeUp();
    return appendTo(this.#barriers);
  }

  /** To be called by the last stage for each chunk of no length. */
  passBarrier(): void {
    this.#barriers.shift()?.resolve();
  }

  /** Ends the chunks after all that was accepted, and all that waits. */
  end(): void {
    this.#ending = true;
    this.#wakeUp();
  }

  /** Whether every message was accepted, and the first `count` are all of them. */
  hasOnly(count: number): boolean {
    return this.#accepted === count && this.#waiting.size === 0;
  }

  /** To be called when nobody will take what is queued, and there is no message in it. */
  discard(): void {
    this.#encoder = new FrameEncoder();
    this.#queuedBytes = this.#sizeUnderWay = 0;
    for (const { resolve } of this.#barriers.clear()) resolve();
  }

  /** Rejects all that waits, and errors the chunks. */
  fail(reason: unknown): void {
    this.#failure = { reason };
    for (const { accepted } of this.#waiting.clear()) {
      rejectHandled(accepted, reason);
    }
    for (const waiting of [this.#barriers, this.#borrowed]) {
      for (const resolvers of waiting.clear()) rejectHandled(resolvers, reason);
    }
    this.#encoder = new FrameEncoder(); // Nothing will be in it.
    this.#queuedBytes = this.#sizeUnderWay = 0;
    this.#controller?.error(reason);
    this.#wakeUp();
  }

  #append(
    payload: Uint8Array,
    compressed: boolean,
  ): Promise<void> | undefined {
    const waits = this.#endOfTurn !== undefined;
    const alone = this.#taker !== undefined && !waits;
    const copied = this.#encoder.encode(payload, compressed, alone);
    this.#queuedBytes += payload.byteLength + FRAME_OVERHEAD;
    if (!waits || this.#encoder.hasFullChunk) this.#wakeUp();
    if (copied) return undefined;
    return this.#recycles ? appendTo(this.#borrowed) : this.barrier();
  }

  #next(): Promise<Uint8Array | undefined> {
    this.#consumed();
    const settled = this.#encoder.hasFullChunk || this.#ending || this.#failure;
    if (!settled && !this.#encoder.isEmpty) {
      // What was sent meanwhile leaves together with the rest of this turn.
      this.#endOfTurn = setImmediate(() => this.#wakeUp());
    }
    return new Promise((resolve) => {
      this.#taker = resolve;
      if (settled) this.#wakeUp();
    });
  }

  #consumed(): void {
    const chunk = this.#underWay;
    if (chunk === undefined) return;
    this.#underWay = undefined;
    this.#queuedBytes -= this.#sizeUnderWay;
    if (chunk.slice === "last") this.#borrowed.shift()?.resolve();
    if (chunk.slice === undefined && this.#recycles) recycle(chunk.bytes);
    while (
      this.#waiting.size > 0 && this.#queuedBytes < this.#highWaterMark
    ) {
      const { send, accepted } = this.#waiting.shift()!;
      const done = send();
      if (done) handled(accepted.promise); // It may fail yet.
      accepted.resolve(done);
    }
    if (this.#waiting.size === 0) this.#limit = this.#highWaterMark;
  }

  /** Gives the `next()` that waits, if any, what there is. */
  #wakeUp(): void {
    const taker = this.#taker;
    if (taker === undefined) return;
    this.#taker = undefined;
    if (this.#endOfTurn !== undefined) {
      clearImmediate(this.#endOfTurn);
      this.#endOfTurn = undefined;
    }
    if (this.#failure) return taker(Promise.reject(this.#failure.reason));
    const chunk = this.#encoder.take();
    this.#underWay = chunk;
    this.#sizeUnderWay = chunk?.bytes.byteLength ?? 0;
    taker(chunk?.bytes);
  }
}

function appendTo(queue: Fifo<PromiseWithResolvers<void>>): Promise<void> {
  const resolvers = Promise.withResolvers<void>();
  queue.push(resolvers);
  return resolvers.promise;
}

const EMPTY = new Uint8Array(0);
