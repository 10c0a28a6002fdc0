import { abortable } from "jsr:@std/async@^1.5.0/abortable";
import { ConnectionLostError } from "../errors.ts";
import type { ChunkSource, Lender } from "./_chunks.ts";
import { ByteQueue } from "./_byte_queue.ts";
import { inArrayBuffer } from "./_in_array_buffer.ts";
import type { Lifecycle } from "./_lifecycle.ts";
import { toStreamError } from "./_stream_error.ts";
import type { ByteTransport } from "./byte_transport.ts";

/** The inbound direction of a stream: its queue, its readers, and its end. */
export class Inbound implements ChunkSource<ArrayBuffer> {
  readonly #transport: ByteTransport;
  readonly #life: Lifecycle;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #controller:
    | ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>
    | undefined;
  /** Whether a {@linkcode ChunkSource} has it for good. */
  #taken = false;
  #lender: Lender | undefined;

  /** Bytes that the transport gave and nobody has taken yet. */
  readonly #unread = new ByteQueue();
  /** The fetch under way into the queue, shared by all that wait for it. */
  #filling: Promise<boolean> | undefined;
  /** Settles when the last accepted read has; it never rejects. */
  #lastRead: Promise<unknown> = DONE;
  /** Settles when a chunk that nobody has read has been taken back; it never rejects. */
  #reclaiming: Promise<void> | undefined;

  constructor(transport: ByteTransport, life: Lifecycle) {
    this.#transport = transport;
    this.#life = life;
  }

  /** Whether somebody has it for itself. */
  get locked(): boolean {
    return this.#taken || this.#readable?.locked === true;
  }

  /** It as a web stream, which fetches a chunk when it is asked for one. */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#readable) return this.#readable;
    this.#readable = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        this.#controller = controller;
        if (this.#life.death) controller.error(this.#life.death.reason);
      },
      pull: (controller) => this.#pull(controller),
      cancel: () => this.cancel(),
    }, { highWaterMark: 0 });
    if (this.#taken) this.#readable.getReader();
    return this.#readable;
  }

  /** Locks it for good. */
  take(): ChunkSource<ArrayBuffer> {
    this.#reclaim();
    this.#taken = true;
    this.#readable?.getReader();
    return this;
  }

  /** Has the transport ask `lender` for memory to read into. */
  lendMemory(lender: Lender): void {
    this.#lender = lender;
  }

  next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#reclaiming) return this.#reclaiming.then(() => this.next());
    if (this.#unread.size > 0) return this.#nextUnread();
    // A read that was given up may have left a fetch under way.
    if (this.#filling) return this.#filling.then(() => this.next());
    return this.#fetch();
  }

  cancel(): void {
    this.#unread.clear();
    this.#life.endInbound();
  }

  /** Exactly `count` bytes, after the reads before; `null` at the end. */
  read(
    count: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    this.#reclaim();
    const before = this.#lastRead;
    const turn = signal ? abortable(before, signal) : before;
    const read = turn.then(() => this.#readExactly(count, signal));
    // An aborted read settles before its turn; the next waits for that turn.
    this.#lastRead = read.catch(() => {}).then(() => before);
    return read;
  }

  /** Nothing works any more. */
  fail(reason: unknown): void {
    this.#unread.clear();
    this.#controller?.error(reason);
  }

  async #pull(
    controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>,
  ): Promise<void> {
    for (;;) {
      if (this.#unread.size === 0 && !await this.#fill()) {
        return controller.close();
      }
      // The reader was released meanwhile: the chunk is for whoever reads next.
      if (this.#taken || !this.#readable?.locked) return;
      const chunk = this.#take(() => this.#unread.shift());
      if (chunk) return controller.enqueue(chunk);
    }
  }

  async #readExactly(
    count: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    await this.#reclaiming;
    for (;;) {
      this.#life.assertAlive();
      if (signal?.aborted) throw signal.reason; // From here on the bytes are taken or left.
      if (this.#unread.size >= count) {
        return this.#take(() => this.#unread.take(count));
      }
      // The fill outlives an aborted read: its bytes are for the next one.
      const filled = this.#fill();
      if (await (signal ? abortable(filled, signal) : filled)) continue;
      if (this.#unread.size === 0) return null;
      throw new ConnectionLostError(
        `Cannot read as the stream ended early: needed ${count} bytes, received ${this.#unread.size}`,
        { received: this.#unread.size, expected: count },
      );
    }
  }

  /**
   * Takes back what a reader left in the web stream's own queue. There is one chunk at
   * most: it came for a read of a reader that let go, and the reader after it did not
   * ask for any.
   */
  #reclaim(): void {
    const readable = this.#readable;
    if (readable === undefined || readable.locked) return;
    if (this.#controller!.desiredSize !== -1) return;
    const reader = readable.getReader();
    this.#reclaiming = reader.read().then(({ value }) => {
      this.#reclaiming = undefined;
      if (value) this.#unread.unshift(value);
    });
    reader.releaseLock(); // The read has its chunk.
  }

  async #nextUnread(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await this.#take(() => this.#unread.shift());
  }

  /** What `take` takes from the queue. If bytes in it are gone, the stream is. */
  #take<T>(take: () => T): T {
    try {
      return take();
    } catch (error) {
      const failure = toStreamError(error, "read");
      this.#life.fail(failure);
      throw failure;
    }
  }

  /** Fetches one chunk into the queue, for all who wait; `false` if there are no more. */
  #fill(): Promise<boolean> {
    return this.#filling ??= this.#fetch().then((chunk) => {
      if (chunk) this.#unread.push(chunk);
      return chunk !== undefined;
    }).finally(() => this.#filling = undefined);
  }

  /** The next chunk of the transport; `undefined` at the end. To be called by one at a time. */
  async #fetch(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    for (;;) {
      this.#life.assertAlive();
      if (this.#life.inboundOver) return undefined;
      let chunk: Uint8Array | null = null;
      try {
        chunk = await this.#transport.read(this.#lender?.lend());
      } catch (error) {
        this.#life.fail(toStreamError(error, "read"));
      }
      this.#life.assertAlive();
      if (chunk?.byteLength === 0) continue; // Says nothing.
      if (chunk && !this.#life.inboundOver) { // Not cancelled meanwhile.
        return inArrayBuffer(chunk);
      }
      this.#life.endInbound();
      return undefined;
    }
  }
}

const DONE = Promise.resolve();
