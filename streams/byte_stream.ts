import { abortable } from "jsr:@std/async@^1.5.0/abortable";
import {
  ConnectionLostError,
  StreamClosedError,
  StreamError,
} from "../errors.ts";
import { ByteQueue } from "./_byte_queue.ts";
import { Outcome } from "./_outcome.ts";
import { describe, toStreamError } from "./_stream_error.ts";
import type { ByteStreamPair } from "./byte_stream_pair.ts";
import type { ByteTransport } from "./byte_transport.ts";

/** One end of a transport, as far as it has a name. */
export interface StreamAddress {
  /** Host name or IP address. */
  readonly hostname?: string;
  /** TCP port. */
  readonly port?: number;
  /** Path of a Unix socket. */
  readonly path?: string;
}

/** What a stream says about itself, for logs and metrics. */
export interface StreamInfo {
  /** The kind of transport: `tcp`, `tls`, `unix`, `memory`, `process`, `stdio`, ... */
  readonly transport: string;
  /** Our end. */
  readonly local?: StreamAddress;
  /** The peer's end. */
  readonly remote?: StreamAddress;
  /** The application protocol that a TLS handshake of ours agreed on (ALPN, RFC 7301). */
  readonly alpnProtocol?: string;
}

/** Options of a single read or write. */
export interface SignalOptions {
  /** Gives the operation up with the signal's own `reason`. */
  signal?: AbortSignal;
}

/** What a channel does with a stream beyond its public members. */
interface ByteStreamAccess {
  /** @throws {TypeError} if a side is locked. */
  assertUnlocked(action: string): void;
  /** Locks `writable`, and writes past it: one hop less for each chunk. */
  takeWriter(): (data: Uint8Array) => Promise<void>;
  /** Locks `readable`, and reads past it. */
  takeReader(): {
    next(): Promise<Uint8Array | undefined>;
    cancel(): void;
  };
  /**
   * Has the transport ask `lend` for memory to read the next bytes into. A
   * transport that cannot do so reads into memory of its own.
   */
  lendMemory(lend: () => Uint8Array | undefined): void;
}

/** Access for the channels of this package. */
export let accessOf: (stream: ByteStream) => ByteStreamAccess;

/**
 * A duplex byte stream: what every transport of Sluice is.
 *
 * - The two directions end apart: after {@linkcode closeWrite} we still read,
 *   and after the peer's end we still write. Once both are over, the transport
 *   is let go of without a further call.
 * - Reads and writes are served first come, first served, and in full.
 * - Back-pressure is the transport's own: nothing is read before somebody asks,
 *   and a write settles once the transport has taken every byte.
 * - The first failure ends both directions: every pending and later call, and
 *   `readable` and `writable`, reject with that same error.
 *
 * `read` and `write` are for calls in turn, `readable` and `writable` for
 * pipes; a direction whose web stream is locked by a pipe refuses the calls.
 */
export abstract class ByteStream implements ByteStreamPair, AsyncDisposable {
  static {
    accessOf = (stream) => ({
      assertUnlocked(action) {
        for (
          const [side, locked] of [
            ["readable", stream.#readerTaken || stream.#readable?.locked],
            ["writable", stream.#writerTaken || stream.#writable?.locked],
          ]
        ) {
          if (locked) {
            throw new TypeError(
              `Cannot ${action} as ${side} of the stream is locked`,
            );
          }
        }
      },
      takeWriter() {
        stream.#writerTaken = true;
        stream.#writable?.getWriter();
        return (data) => stream.#write(data);
      },
      lendMemory(lend) {
        stream.#lend = lend;
      },
      takeReader() {
        stream.#readerTaken = true;
        stream.#readable?.getReader();
        return {
          next: () => stream.#nextChunk(),
          cancel: () => stream.#cancelInbound(),
        };
      },
    });
  }

  /** What the stream says about itself. */
  readonly info: StreamInfo;
  readonly #transport: ByteTransport;
  readonly #finished = new Outcome<StreamError | undefined>();
  #readable?: ReadableStream<Uint8Array>;
  #readableController?: ReadableStreamDefaultController<Uint8Array>;
  #writable?: WritableStream<Uint8Array>;
  #writableController?: WritableStreamDefaultController;

  /** Bytes that the transport gave and nobody has taken yet. */
  readonly #unread = new ByteQueue();
  /** The read of the transport under way. */
  #reading?: Promise<Uint8Array | null>;
  /** The fetch under way into the queue, shared by all that wait for it. */
  #filling?: Promise<boolean>;
  /** Settles when the last accepted read, or write, has; it never rejects. */
  #lastRead: Promise<unknown> = DONE;
  #lastWrite: Promise<unknown> = DONE;
  #writesUnderWay = 0;
  readonly #onWritten = (): void => {
    this.#writesUnderWay--;
  };
  #readerTaken = false;
  #writerTaken = false;
  #lend?: () => Uint8Array | undefined;

  #inboundOver = false;
  #outboundOver = false;
  #ending?: Promise<void>;
  /** Why nothing works any more: a failure, an abort, or the local close. */
  #death?: { readonly reason: unknown };
  #release?: Promise<void>;

  /**
   * Makes a stream of a transport, which it owns from then on.
   *
   * @param transport The operations that differ between transports.
   * @param info What the stream shall say about itself.
   */
  constructor(transport: ByteTransport, info: StreamInfo) {
    this.#transport = transport;
    this.info = info;
  }

  /**
   * Settles once both directions are over and the transport is let go of: with
   * the failure, or with `undefined` if there was none. It never rejects.
   */
  get finished(): Promise<StreamError | undefined> {
    return this.#finished.promise;
  }

  /** Whether both directions are over, or the stream was closed, aborted or has failed. */
  get closed(): boolean {
    return this.#death !== undefined || this.#release !== undefined;
  }

  /**
   * What the peer sends. It reads ahead of nobody: a chunk is fetched when it
   * is asked for. Cancelling it ends our reading only.
   */
  get readable(): ReadableStream<Uint8Array> {
    if (this.#readable) return this.#readable;
    this.#readable = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#readableController = controller;
        if (this.#death) controller.error(this.#death.reason);
      },
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#cancelInbound(),
    }, { highWaterMark: 0 });
    if (this.#readerTaken) this.#readable.getReader();
    return this.#readable;
  }

  /**
   * Takes bytes for the peer. Closing it is {@linkcode closeWrite}, aborting
   * it is {@linkcode abort}.
   */
  get writable(): WritableStream<Uint8Array> {
    if (this.#writable) return this.#writable;
    this.#writable = new WritableStream<Uint8Array>({
      start: (controller) => {
        this.#writableController = controller;
        if (this.#death) controller.error(this.#death.reason);
        const { signal } = controller;
        // The sink's own abort() would wait for a write that is stuck. The abort
        // that is being asked for has to be under way before the stream fails.
        signal.addEventListener(
          "abort",
          () => queueMicrotask(() => this.abort(signal.reason)),
        );
      },
      write: (chunk) => this.#write(chunk),
      close: () => this.closeWrite(),
    });
    if (this.#writerTaken) this.#writable.getWriter();
    return this.#writable;
  }

  /**
   * Reads exactly `count` bytes.
   *
   * An aborted read loses nothing: what arrives later is there for the next.
   * The bytes belong to the caller; they may be a view of up to 64 KiB.
   *
   * @param count How many bytes; 0 gives an empty array.
   * @param options A signal to give the read up with.
   * @returns The bytes, or `null` if the peer ended before the first of them.
   * @throws {ConnectionLostError} if the peer ends after the first and before
   * the last of them.
   * @throws {StreamClosedError} once the stream was closed locally.
   */
  async read(
    count: number,
    options: SignalOptions = {},
  ): Promise<Uint8Array | null> {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new RangeError(
        `Cannot read as count must be an integer >= 0: current value is ${count}`,
      );
    }
    if (this.#readerTaken || this.#readable?.locked) {
      throw new TypeError("Cannot read as readable is locked by a reader");
    }
    const { signal } = options;
    signal?.throwIfAborted();
    const before = this.#lastRead;
    const turn = signal ? abortable(before, signal) : before;
    const read = turn.then(() => this.#readExactly(count, signal));
    // An aborted read settles before its turn; the next waits for that turn.
    this.#lastRead = read.catch(() => {}).then(() => before);
    return await read;
  }

  /**
   * Writes all of `data`, after the writes before it. Once it settles the
   * caller may reuse `data`.
   *
   * @param data The bytes; none is allowed.
   * @param options A signal to give the write up with: one that waits for its
   * turn writes nothing; one under way leaves the peer with an unknown part of
   * it, which is why the whole stream fails with the signal's reason.
   * @throws {StreamClosedError} after `closeWrite()` or `close()`.
   */
  async write(data: Uint8Array, options: SignalOptions = {}): Promise<void> {
    if (this.#writerTaken || this.#writable?.locked) {
      throw new TypeError("Cannot write as writable is locked by a writer");
    }
    const { signal } = options;
    signal?.throwIfAborted();
    await this.#write(data, signal);
  }

  /**
   * Ends our direction after the writes before it: the peer reads an end, and
   * we go on reading. A second call is the same as the first.
   */
  closeWrite(): Promise<void> {
    if (this.#ending) return this.#ending;
    this.#ending = this.#lastWrite.then(async () => {
      this.#assertAlive();
      try {
        await this.#transport.closeWrite();
      } catch (error) {
        this.#fail(toStreamError(error, "end the stream"));
      }
      this.#assertAlive();
      this.#endOutbound();
    });
    return this.#ending;
  }

  /**
   * Ends both directions and lets go of the transport. What was written before
   * is delivered as far as the transport does that by itself; operations under
   * way reject with a `StreamClosedError`. It is idempotent and never throws.
   */
  async close(): Promise<void> {
    if (!this.closed) {
      this.#die(new StreamClosedError("Stream was closed"));
      this.#let(() => this.#transport.close(), undefined);
    }
    await this.#release;
  }

  /**
   * Ends both directions at once. Every pending and later call rejects with
   * `reason`.
   *
   * @param reason Why; a `StreamClosedError` by default.
   */
  abort(
    reason: unknown = new StreamClosedError("Stream was aborted"),
  ): void {
    this.#fail(reason);
  }

  /** The same as {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #pull(
    controller: ReadableStreamDefaultController<Uint8Array>,
  ): Promise<void> {
    for (;;) {
      if (this.#unread.size === 0 && !await this.#fill()) {
        return controller.close();
      }
      // The reader was released meanwhile: the chunk is for whoever reads next.
      if (this.#readerTaken || !this.#readable?.locked) return;
      const chunk = this.#unread.shift();
      if (chunk) return controller.enqueue(chunk);
    }
  }

  /** The next chunk; `undefined` at the end. */
  #nextChunk(): Promise<Uint8Array | undefined> {
    const chunk = this.#unread.shift();
    if (chunk) return Promise.resolve(chunk);
    // A read that was given up may have left a fetch under way.
    if (this.#filling) return this.#filling.then(() => this.#nextChunk());
    return this.#fetch();
  }

  #cancelInbound(): void {
    this.#unread.clear();
    this.#endInbound();
  }

  async #readExactly(
    count: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | null> {
    for (;;) {
      this.#assertAlive();
      if (signal?.aborted) throw signal.reason; // From here on the bytes are taken or left.
      if (this.#unread.size >= count) return this.#unread.take(count);
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

  /** Fetches one chunk into the queue, for all who wait; `false` if there are no more. */
  #fill(): Promise<boolean> {
    return this.#filling ??= this.#fetch().then((chunk) => {
      if (chunk) this.#unread.push(chunk);
      return chunk !== undefined;
    }).finally(() => this.#filling = undefined);
  }

  /** The next chunk of the transport; `undefined` at the end. Never two at once. */
  async #fetch(): Promise<Uint8Array | undefined> {
    // A reader that was released may have left a read of its own under way.
    while (this.#reading) await this.#reading.catch(() => {});
    this.#assertAlive();
    if (this.#inboundOver) return undefined;
    let chunk: Uint8Array | null = null;
    try {
      this.#reading = this.#transport.read(this.#lend?.());
      chunk = await this.#reading;
    } catch (error) {
      this.#fail(toStreamError(error, "read"));
    } finally {
      this.#reading = undefined;
    }
    this.#assertAlive();
    if (chunk?.byteLength === 0) return this.#fetch(); // Says nothing.
    if (chunk && !this.#inboundOver) return chunk; // Not cancelled meanwhile.
    this.#endInbound();
    return undefined;
  }

  #write(data: Uint8Array, signal?: AbortSignal): Promise<void> {
    if (!(data instanceof Uint8Array)) {
      return Promise.reject(
        new TypeError("Cannot write as data must be a Uint8Array"),
      );
    }
    // Only what comes after the end: writes that wait are before it.
    if (this.#ending && !this.#death) {
      return Promise.reject(
        new StreamClosedError("Cannot write as our direction was ended"),
      );
    }
    if (this.#writesUnderWay > 0) return this.#writeInTurn(data, signal);
    const write = this.#writeNow(data, signal);
    this.#writesUnderWay++;
    this.#lastWrite = write.then(this.#onWritten, this.#onWritten);
    return write;
  }

  #writeInTurn(data: Uint8Array, signal?: AbortSignal): Promise<void> {
    const before = this.#lastWrite;
    const turn = signal ? abortable(before, signal) : before;
    const write = turn.then(() => this.#writeNow(data, signal));
    this.#writesUnderWay++;
    // An aborted write settles before its turn; the next waits for that turn.
    this.#lastWrite = write.then(this.#onWritten, this.#onWritten)
      .then(() => before);
    return write;
  }

  async #writeNow(data: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.#assertAlive();
    const watch = signal && this.#abortWith(signal);
    try {
      await this.#transport.write(data);
    } catch (error) {
      this.#fail(toStreamError(error, "write"));
    } finally {
      watch?.[Symbol.dispose]();
    }
    this.#assertAlive();
  }

  /** Aborts the stream with the signal, until it is disposed of. */
  #abortWith(signal: AbortSignal): Disposable {
    if (signal.aborted) throw signal.reason;
    const abort = () => this.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    return {
      [Symbol.dispose]: () => signal.removeEventListener("abort", abort),
    };
  }

  #assertAlive(): void {
    if (this.#death) throw this.#death.reason;
  }

  #endInbound(): void {
    this.#inboundOver = true;
    this.#letGoIfOver();
  }

  #endOutbound(): void {
    this.#outboundOver = true;
    this.#letGoIfOver();
  }

  #letGoIfOver(): void {
    if (!this.#inboundOver || !this.#outboundOver || this.closed) return;
    this.#let(() => this.#transport.close(), undefined);
  }

  #fail(reason: unknown): void {
    if (this.closed) return;
    this.#die(reason);
    const failure = reason instanceof StreamError
      ? reason
      : new StreamClosedError(`Stream was aborted: ${describe(reason)}`, {
        cause: reason,
      });
    this.#let(() => this.#transport.abort(reason), failure);
  }

  /** Rejects all that is pending; what comes later finds `#death`. */
  #die(reason: unknown): void {
    this.#death = { reason };
    this.#unread.clear();
    this.#readableController?.error(reason);
    this.#writableController?.error(reason);
  }

  #let(go: () => Promise<void> | void, failure: StreamError | undefined): void {
    // What the platform complains about a dead transport is of no use; that
    // bytes were lost on the way out is.
    this.#release = (async () => await go())()
      .catch((error) => {
        if (error instanceof StreamError) failure ??= error;
      })
      .then(() => this.#finished.settle(failure));
  }
}

const DONE = Promise.resolve();
