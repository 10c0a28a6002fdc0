import type { StreamError } from "../errors.ts";
import { type Meter, MonitoredTransport } from "./_monitored_transport.ts";
import { infoOf, transportOver } from "./_pair_transport.ts";
import { ByteStream } from "./byte_stream.ts";
import type { ByteStreamPair } from "./byte_stream_pair.ts";

/** What has gone through a stream over its whole life. */
export interface StreamStats {
  /** Bytes that the stream below has taken. */
  readonly bytesSent: number;
  /** Bytes that the stream below has given. */
  readonly bytesReceived: number;
  /** From the construction to the end, in milliseconds. */
  readonly duration: number;
  /** Why it failed, unless it ended cleanly or was closed. */
  readonly error?: StreamError;
}

/**
 * Options of {@linkcode MonitoredStream}.
 *
 * What a callback throws, or an asynchronous one rejects with, does not touch
 * the stream: the first such error goes to `console.error`, later ones nowhere.
 */
export interface MonitoredStreamOptions {
  /**
   * Called with each chunk received.
   *
   * @param size Its length in bytes.
   * @param data The chunk itself, not a copy: to look at during the call.
   */
  onRead?: (size: number, data: Uint8Array) => unknown;
  /**
   * Called with each chunk once it is written.
   *
   * @param size Its length in bytes.
   * @param data The chunk itself, not a copy: to look at during the call.
   */
  onWrite?: (size: number, data: Uint8Array) => unknown;
  /** Called once, when both directions are over or the stream was closed. */
  onClose?: (stats: StreamStats) => unknown;
}

/**
 * A byte stream that counts what goes through it and tells callbacks. It copies
 * nothing of its own.
 *
 * @example
 * ```ts
 * import { MonitoredStream, PipeStream } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * const [near, far] = PipeStream.createPair();
 * const log: string[] = [];
 * const monitored = new MonitoredStream(near, {
 *   onWrite: (size) => log.push(`WRITE: ${size} bytes`),
 *   onClose: ({ bytesSent }) => log.push(`CLOSE: ${bytesSent} bytes sent`),
 * });
 * await monitored.write(new Uint8Array(10));
 * await monitored.close();
 * assertEquals(monitored.bytesSent, 10);
 * assertEquals(log, ["WRITE: 10 bytes", "CLOSE: 10 bytes sent"]);
 * await far.close();
 * ```
 */
export class MonitoredStream extends ByteStream {
  readonly #counts: Counts;
  readonly #started = performance.now();
  #ended: number | undefined;

  /**
   * Makes a monitored stream of another, both of whose sides it locks and owns.
   *
   * @param stream Any pair of byte streams.
   * @param options The callbacks.
   * @throws {TypeError} if a side of the stream is locked.
   */
  constructor(stream: ByteStreamPair, options: MonitoredStreamOptions = {}) {
    const counts = new Counts(options);
    super(
      new MonitoredTransport(transportOver(stream), counts),
      infoOf(stream),
    );
    this.#counts = counts;
    this.finished.then((error) => { // It never rejects.
      this.#ended = performance.now();
      const { bytesSent, bytesReceived, duration } = this;
      counts.tell(() =>
        options.onClose?.({ bytesSent, bytesReceived, duration, error })
      );
    });
  }

  /** Bytes that the stream below has taken so far. */
  get bytesSent(): number {
    return this.#counts.bytesSent;
  }

  /** Bytes that the stream below has given so far. */
  get bytesReceived(): number {
    return this.#counts.bytesReceived;
  }

  /** From the construction until now, or to the end, in milliseconds. */
  get duration(): number {
    return (this.#ended ?? performance.now()) - this.#started;
  }
}

/** The counts, and the callbacks, whose errors stay here. */
class Counts implements Meter {
  bytesSent = 0;
  bytesReceived = 0;
  readonly #options: MonitoredStreamOptions;
  #complained = false;

  constructor(options: MonitoredStreamOptions) {
    this.#options = options;
  }

  received(data: Uint8Array): void {
    this.bytesReceived += data.byteLength;
    const { onRead } = this.#options;
    if (onRead) this.tell(() => onRead(data.byteLength, data));
  }

  sent(data: Uint8Array): void {
    this.bytesSent += data.byteLength;
    const { onWrite } = this.#options;
    if (onWrite) this.tell(() => onWrite(data.byteLength, data));
  }

  /** Calls back; whoever watches must not be able to break what is watched. */
  tell(callback: () => unknown): void {
    try {
      const result = callback();
      if (result instanceof Promise) {
        result.catch((error) => this.#complain(error));
      }
    } catch (error) {
      this.#complain(error);
    }
  }

  #complain(error: unknown): void {
    if (this.#complained) return;
    this.#complained = true;
    console.error("A callback of a MonitoredStream failed:", error);
  }
}
