import { StreamClosedError, type StreamError } from "../errors.ts";
import { Inbound } from "./_inbound.ts";
import { Lifecycle } from "./_lifecycle.ts";
import { Outbound } from "./_outbound.ts";
import type { ByteStreamPair } from "./byte_stream_pair.ts";
import type { ByteTransport } from "./byte_transport.ts";
import type { StreamInfo } from "./stream_info.ts";

export type { StreamAddress, StreamInfo } from "./stream_info.ts";

/** Options of a single read or write. */
export interface SignalOptions {
  /** Gives the operation up with the signal's own `reason`. */
  signal?: AbortSignal;
}

/** The two directions of a stream, for what reads and writes past its web streams: one hop less. */
export let directionsOf: (
  stream: ByteStream,
) => { readonly inbound: Inbound; readonly outbound: Outbound };

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
 *   `readable` and `writable`, reject with that same error. An end of the peer's
 *   that cuts a `read(count)` short fails that call alone: what came is still there.
 *
 * `read` and `write` are for calls in turn, `readable` and `writable` for
 * pipes; a direction whose web stream is locked by a pipe refuses the calls.
 *
 * @example A transport of one's own, which reads back what it was written
 * ```ts
 * import { ByteStream, type ByteTransport } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * class EchoTransport implements ByteTransport {
 *   readonly #pipe = new TransformStream<Uint8Array, Uint8Array>();
 *   readonly #reader = this.#pipe.readable.getReader();
 *   readonly #writer = this.#pipe.writable.getWriter();
 *
 *   async read(): Promise<Uint8Array | null> {
 *     return (await this.#reader.read()).value ?? null;
 *   }
 *   async write(data: Uint8Array): Promise<void> {
 *     await this.#writer.write(new Uint8Array(data)); // The caller may reuse its memory.
 *   }
 *   async closeWrite(): Promise<void> {
 *     await this.#writer.close();
 *   }
 *   async close(): Promise<void> {
 *     await this.abort(new Error("The stream was closed"));
 *   }
 *   async abort(reason: unknown): Promise<void> {
 *     await this.#writer.abort(reason).catch(() => {});
 *   }
 * }
 *
 * class EchoStream extends ByteStream {
 *   constructor() {
 *     super(new EchoTransport(), { transport: "echo" });
 *   }
 * }
 *
 * await using stream = new EchoStream();
 * const writing = stream.write(new Uint8Array([1, 2, 3]));
 * assertEquals(await stream.read(3), new Uint8Array([1, 2, 3]));
 * await writing;
 * await stream.closeWrite();
 * assertEquals(await stream.read(1), null);
 * ```
 */
export abstract class ByteStream implements ByteStreamPair, AsyncDisposable {
  static {
    directionsOf = (stream) => ({
      inbound: stream.#inbound,
      outbound: stream.#outbound,
    });
  }

  /** What the stream says about itself. */
  readonly info: StreamInfo;
  readonly #life: Lifecycle;
  readonly #inbound: Inbound;
  readonly #outbound: Outbound;

  /**
   * Makes a stream of a transport, which it owns from then on.
   *
   * @param transport The operations that differ between transports.
   * @param info What the stream shall say about itself.
   */
  constructor(transport: ByteTransport, info: StreamInfo) {
    this.info = info;
    this.#life = new Lifecycle(transport, (reason) => {
      this.#inbound.fail(reason);
      this.#outbound.fail(reason);
    });
    this.#inbound = new Inbound(transport, this.#life);
    this.#outbound = new Outbound(transport, this.#life);
  }

  /**
   * Settles once both directions are over and the transport is let go of: with
   * the failure, or with `undefined` if there was none. It never rejects.
   */
  get finished(): Promise<StreamError | undefined> {
    return this.#life.finished;
  }

  /** Whether both directions are over, or the stream was closed, aborted or has failed. */
  get closed(): boolean {
    return this.#life.closed;
  }

  /**
   * What the peer sends. It reads ahead of nobody: a chunk is fetched when it
   * is asked for. Cancelling it ends our reading only.
   *
   * A chunk belongs to the reader, but may share its `buffer` with others, and with
   * what is being received: copy it before you transfer that to somebody else,
   * as a controller of `type: "bytes"` does with what it is given.
   */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#inbound.readable;
  }

  /**
   * Takes bytes for the peer. Closing it is {@linkcode closeWrite}, aborting
   * it is {@linkcode abort}.
   */
  get writable(): WritableStream<Uint8Array> {
    return this.#outbound.writable;
  }

  /**
   * Reads exactly `count` bytes.
   *
   * An aborted read loses nothing: what arrives later is there for the next.
   * The bytes belong to the caller; they may be a view of a larger chunk of the
   * transport, about 64 KiB at most from a socket, which they keep alive. Copy
   * them before you transfer their `buffer` to somebody else: bytes that were not
   * read yet may go with it, and the stream then fails.
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
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new RangeError(
        `Cannot read as count must be an integer >= 0: current value is ${count}`,
      );
    }
    if (this.#inbound.locked) {
      throw new TypeError("Cannot read as readable is locked by a reader");
    }
    options.signal?.throwIfAborted();
    return await this.#inbound.read(count, options.signal);
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
    if (this.#outbound.locked) {
      throw new TypeError("Cannot write as writable is locked by a writer");
    }
    options.signal?.throwIfAborted();
    await this.#outbound.write(data, options.signal);
  }

  /**
   * Ends our direction after the writes before it: the peer reads an end, and
   * we go on reading. A second call is the same as the first. A failure that nobody
   * awaits does not end the process.
   *
   * @throws {StreamClosedError} if the stream was closed before that.
   */
  closeWrite(): Promise<void> {
    const ended = this.#outbound.close();
    ended.catch(() => {});
    return ended;
  }

  /**
   * Ends both directions and lets go of the transport. What was written before
   * is delivered as far as the transport does that by itself; operations under
   * way reject with a `StreamClosedError`. It is idempotent and never throws.
   */
  close(): Promise<void> {
    return this.#life.close();
  }

  /**
   * Ends both directions at once. Every pending and later call rejects with
   * `reason`. A close under way is cut short, and what it has not sent yet is
   * lost: `finished` tells `reason`, calls go on as they did after the close. It
   * does nothing once `finished` has settled.
   *
   * @param reason Why; a `StreamClosedError` by default.
   */
  abort(
    reason: unknown = new StreamClosedError("Stream was aborted"),
  ): void {
    this.#life.abort(reason);
  }

  /** The same as {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
