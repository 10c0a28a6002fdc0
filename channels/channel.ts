import { BufferOverflowError, StreamClosedError } from "../errors.ts";
import type { StreamError } from "../errors.ts";
import { typeName } from "../streams/_assert.ts";
import type { SignalOptions } from "../streams/byte_stream.ts";
import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import { DONE, handled, rejected } from "./_handled.ts";
import { Link } from "./_link.ts";
import { messageIterator } from "./_message_iterator.ts";
import { MessageReadable } from "./_message_readable.ts";
import { MessageWritable } from "./_message_writable.ts";
import { openStages, type StagedOptions } from "./_stage_opener.ts";
import { deflateIfSmaller } from "./_zlib.ts";
import {
  type ChannelConfig,
  type ChannelOptions,
  resolveCompression,
  resolveOptions,
} from "./channel_options.ts";

/** Options of a single {@linkcode Channel.send}. */
export interface SendOptions extends SignalOptions {
  /**
   * Whether to compress this message if it is longer than the threshold, in
   * place of the channel's `compression`.
   */
  compress?: boolean;
}

/** What has gone through a channel so far. */
export interface ChannelStats {
  /** Messages accepted by `send()`. */
  readonly messagesSent: number;
  /** Messages handed out by `recv()`. */
  readonly messagesReceived: number;
  /** Bytes handed to the transport, with all framing and encryption, but for a handshake. */
  readonly bytesSent: number;
  /** Bytes of frames received, after decryption. */
  readonly bytesReceived: number;
  /** Writes to the transport. */
  readonly writes: number;
  /**
   * Bytes accepted by `send()` that have not left yet, but for what a later stage
   * holds: batching one batch, encryption up to 640 KiB.
   */
  readonly queuedBytes: number;
}

/**
 * Whole messages over a byte stream, in both directions at once.
 *
 * The wire is that of RPyC's `core/channel.py`, so that a Python peer needs
 * nothing.
 *
 * - Messages arrive whole, in order, byte for byte; an empty one is a message.
 * - Once `send()` resolves the caller may reuse the message. A received message
 *   belongs to the caller; it may share its `buffer` with others, of which it
 *   keeps at most 64 KiB alive.
 * - Both ways what is queued is bounded: a peer that does not read makes
 *   `send()` wait, a local reader that does not read makes the peer wait.
 * - Concurrent calls are served first come, first served, and a waiting
 *   `recv()` never holds up a `send()`.
 * - The first failure is final: every pending and later call rejects with that
 *   same error, except that messages which had arrived whole before it are
 *   still received first.
 * - Nothing that was not awaited can end the process.
 * - The first chunk of 16 KiB or more that is received has the process take 1 GiB of
 *   address space, which is no memory: see {@linkcode disableHeapTuning}.
 *
 * @example
 * ```ts
 * import { Channel, PipeStream } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * const [near, far] = PipeStream.createPair();
 * await using client = new Channel(near);
 * await using server = new Channel(far);
 *
 * await client.send(new TextEncoder().encode("ping"));
 * assertEquals(await server.recv(), new TextEncoder().encode("ping"));
 * await client.close();
 * assertEquals(await server.recv(), null);
 * ```
 */
export class Channel
  implements AsyncIterable<Uint8Array<ArrayBuffer>>, AsyncDisposable {
  readonly #link: Link;
  readonly #config: ChannelConfig;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  /**
   * Makes a channel of a byte stream, both of whose sides it locks and owns.
   *
   * @param stream Any pair of byte streams.
   * @param options Limits, compression, batching, deadlines.
   * @throws {RangeError} if an option is out of its range.
   * @throws {TypeError} if an option is unknown, or a side of the stream is locked.
   */
  constructor(stream: ByteStreamPair, options?: ChannelOptions) {
    this.#config = options ? resolveOptions(options) : DEFAULTS;
    const open = (options as StagedOptions | undefined)?.[openStages];
    this.#link = new Link(stream, this.#config, open);
  }

  /**
   * Resolves once messages can flow: at once, or for an encrypted channel after
   * its handshake. Rejects as every other call does if that fails.
   */
  get ready(): Promise<void> {
    return this.#link.ready;
  }

  /**
   * Settles once both directions are over: with the failure, or with
   * `undefined` if there was none. It never rejects.
   */
  get finished(): Promise<StreamError | undefined> {
    return this.#link.ending.finished;
  }

  /** Whether the channel was closed or aborted, has failed, or is over both ways. */
  get closed(): boolean {
    return this.#link.ending.closed;
  }

  /** What has gone through so far; a snapshot. */
  get stats(): ChannelStats {
    const { inbox, outbox, traffic } = this.#link;
    const { bytesSent, bytesReceived, writes } = traffic;
    return {
      messagesSent: outbox.accepted,
      messagesReceived: inbox.taken,
      bytesSent,
      bytesReceived,
      writes,
      queuedBytes: outbox.queuedBytes,
    };
  }

  /**
   * Sends one message. It resolves once the message is accepted: at once while
   * less than `highWaterMark` is queued, or, with many in a row, in the channel's next
   * turn of the event loop. One too long to be copied (more than 131,066
   * bytes; over TCP and TLS, not encrypted, 262,144) has been encrypted by then, or
   * handed to the transport, if that is one of ours.
   *
   * @param message The message. It may be reused once this has resolved.
   * @param options A signal, which withdraws a message that still waits for room, and
   * `compress`.
   * @throws {BufferOverflowError} if it is longer than `maxMessageSize`;
   * nothing is sent and the channel goes on.
   * @throws {StreamClosedError} after `close()`, or after `writable` was closed.
   */
  send(message: Uint8Array, options?: SendOptions): Promise<void> {
    const refusal = this.#refusal(message, options);
    if (refusal) return rejected(refusal.reason);
    const { outbox } = this.#link;
    if (outbox.hasRoom) return this.#put(message, options) ?? DONE;
    return outbox.putLater(
      () => this.#put(message, options),
      options?.signal,
    );
  }

  /**
   * Receives the next message. What arrived whole before a failure or the end
   * is received first.
   *
   * @param options A signal; an aborted `recv()` loses no message.
   * @returns The message, which belongs to the caller, or `null` if the peer
   * has ended cleanly, between messages. Its `buffer` may be shared: copy the
   * message before you transfer that to somebody else.
   * @throws {ConnectionLostError} if the peer went away before a clean end.
   * @throws {BufferOverflowError} if the peer sends more than `maxMessageSize`.
   * @throws {CompressionError} if a compressed message cannot be inflated.
   * @throws {StreamClosedError} after `close()`.
   */
  recv(options?: SignalOptions): Promise<Uint8Array<ArrayBuffer> | null> {
    const signal = options?.signal;
    if (signal?.aborted) return rejected(signal.reason);
    try {
      const message = this.#link.inbox.take();
      if (message === undefined) return this.#link.inbox.receive(signal);
      // To resolve a promise is to ask the value for `then`, which takes V8 a call out of
      // compiled code for a typed array, unless it has just seen that this is one.
      void message.byteLength;
      return Promise.resolve(message);
    } catch (error) {
      return rejected(error);
    }
  }

  /**
   * Tells whether a `recv()` would not wait: for a message, or for the end.
   *
   * @param timeout How long to wait for that, in milliseconds; 0 by default,
   * `Infinity` is for ever.
   * @param options A signal to give the wait up with.
   */
  poll(timeout = 0, options: SignalOptions = {}): Promise<boolean> {
    const { signal } = options;
    if (!(timeout >= 0)) {
      return rejected(
        new RangeError(
          `Cannot poll as timeout must be >= 0: current value is ${timeout}`,
        ),
      );
    }
    if (signal?.aborted) return rejected(signal.reason);
    return handled(this.#link.inbox.poll(timeout, signal));
  }

  /** Settles when everything accepted so far has been handed to the transport. */
  flush(): Promise<void> {
    return this.#link.flush();
  }

  /**
   * Sends what was accepted, waiting at most `closeTimeout`, then ends both
   * directions and closes the stream. Calls to `recv()` reject with a
   * `StreamClosedError`. It is idempotent and never rejects; `finished` tells
   * whether everything left in time.
   *
   * Before the stream is closed, what still arrives is read and dropped: until
   * the peer ends as well, or is silent for 25 ms, for at most 500 ms. A socket
   * closed with bytes unread would take from the peer what was sent last.
   */
  close(): Promise<void> {
    return this.#link.close();
  }

  /**
   * Ends the channel at once and drops what is queued. Every pending and later
   * call rejects with `reason`. A `close()` under way is cut short, also where it
   * waits for nothing but a child process to exit, which is then no failure.
   *
   * @param reason Why; a `StreamClosedError` by default.
   */
  abort(
    reason: unknown = new StreamClosedError("Channel was aborted"),
  ): void {
    this.#link.abort(reason);
  }

  /**
   * The messages received, as a stream. For a read that had to wait it takes up
   * to 256 messages, or 64 KiB, ahead, which a `recv()` then does not see;
   * cancelling it ends receiving.
   */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= new MessageReadable(this, this.#link);
  }

  /**
   * Takes messages to send, as a stream. Closing it ends our direction after
   * them: the peer receives `null`, and we go on receiving.
   */
  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= new MessageWritable({
      send: (message) => this.send(message),
      refuses: (message) => this.#refusal(message, undefined) !== undefined,
      abort: (reason) => this.abort(reason),
    }, this.#link);
  }

  /**
   * The messages received, until the peer ends or the channel is closed
   * locally. Leaving the loop early does not close the channel.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    return messageIterator(this, this.#link);
  }

  /** The same as {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Why this message cannot be sent, if so. */
  #refusal(
    message: Uint8Array,
    options: SendOptions | undefined,
  ): { readonly reason: unknown } | undefined {
    const refusal = this.#link.refusal;
    if (refusal) return refusal;
    const { maxMessageSize, heartbeat } = this.#config;
    if (!(message instanceof Uint8Array)) {
      return {
        reason: new TypeError(
          `Cannot send message as it must be a Uint8Array: current type is ${
            typeName(message)
          }`,
        ),
      };
    }
    if (message.byteLength > maxMessageSize) {
      return {
        reason: new BufferOverflowError(
          `Cannot send message as its length must be <= ${maxMessageSize}: current length is ${message.byteLength}`,
          { size: message.byteLength, limit: maxMessageSize },
        ),
      };
    }
    if (message.byteLength === 0 && heartbeat) {
      return {
        reason: new TypeError(
          "Cannot send an empty message as heartbeat is on: the peer would take it for one",
        ),
      };
    }
    if (options?.signal?.aborted) return { reason: options.signal.reason };
    return undefined;
  }

  /** Accepts a message; what it returns, if anything, must settle before the message is reused. */
  #put(
    message: Uint8Array,
    options: SendOptions | undefined,
  ): Promise<void> | undefined {
    const { outbox, lends } = this.#link;
    const { compression } = this.#config;
    const compress = options?.compress ?? compression !== undefined;
    const data = compress &&
      deflateIfSmaller(message, compression ?? DEFAULT_COMPRESSION);
    if (data) {
      outbox.put(data, true);
      return undefined;
    }
    if (lends || outbox.copies(message)) return outbox.put(message, false);
    // The stream may well pass on what it was given. (The slice() of Node's
    // Buffer is no copy.)
    outbox.put(new Uint8Array(message), false);
    return undefined;
  }
}

/** The options of all channels without any. */
const DEFAULTS = resolveOptions({});
/** What `compress` asks for where a channel has no compression of its own. */
const DEFAULT_COMPRESSION = resolveCompression({});
