import { deadline } from "jsr:@std/async@^1.5.0/deadline";
import { StreamTimeoutError } from "../errors.ts";
import { isTimeout, toStreamError } from "./_stream_error.ts";
import type { ByteTransport } from "./byte_transport.ts";

/** How long `close()` waits for what is gathered to leave, in milliseconds. */
const CLOSE_TIMEOUT = 5000;

/**
 * Gathers small writes. One buffer is filled while another, of the same size,
 * is being written.
 */
export class BufferedTransport implements ByteTransport {
  /** Called when bytes could not be written that nobody waits for any more. */
  onFailure: (reason: unknown) => void = () => {};

  readonly #below: ByteTransport;
  readonly #size: number;
  readonly #closeTimeout: number;
  #buffer: Uint8Array | undefined;
  #filled = 0;
  #spare: Uint8Array | undefined;
  /** The last write below. Each waits for the one before, and fails if that did. */
  #lastWrite: Promise<void> = Promise.resolve();
  #endOfTurn: ReturnType<typeof setImmediate> | undefined;

  constructor(
    below: ByteTransport,
    size: number,
    closeTimeout: number = CLOSE_TIMEOUT,
  ) {
    this.#below = below;
    this.#size = size;
    this.#closeTimeout = closeTimeout;
  }

  read(into?: Uint8Array): Promise<Uint8Array | null> {
    return this.#below.read(into);
  }

  async write(data: Uint8Array): Promise<void> {
    const { byteLength } = data;
    if (this.#filled + byteLength > this.#size) await this.flush();
    if (byteLength >= this.#size) {
      return await this.#enqueue(() => this.#below.write(data));
    }
    if (!this.#buffer) {
      this.#buffer = this.#spare ?? new Uint8Array(this.#size);
      this.#spare = undefined;
    }
    this.#buffer.set(data, this.#filled);
    this.#filled += byteLength;
    this.#endOfTurn ??= setImmediate(() => {
      this.flush().catch((error) =>
        this.onFailure(toStreamError(error, "write"))
      );
    });
  }

  /** Settles when all that was gathered has been written. */
  flush(): Promise<void> {
    clearImmediate(this.#endOfTurn);
    this.#endOfTurn = undefined;
    return this.#enqueue(() => this.#writeGathered());
  }

  async closeWrite(): Promise<void> {
    await this.flush();
    await this.#below.closeWrite();
  }

  async close(): Promise<void> {
    const timeout = this.#closeTimeout;
    try {
      await deadline(this.flush(), timeout);
    } catch (error) {
      const reason = isTimeout(error)
        ? new StreamTimeoutError(
          `Cannot flush the stream before the close as it took longer than ${timeout} ms`,
          { timeout },
        )
        : toStreamError(error, "flush the stream before the close");
      await this.abort(reason);
      throw reason;
    }
    await this.#below.close();
  }

  async abort(reason: unknown): Promise<void> {
    clearImmediate(this.#endOfTurn);
    await this.#below.abort(reason);
  }

  #enqueue(write: () => Promise<void>): Promise<void> {
    return this.#lastWrite = this.#lastWrite.then(write);
  }

  async #writeGathered(): Promise<void> {
    const buffer = this.#buffer;
    if (buffer === undefined || this.#filled === 0) return;
    const gathered = buffer.subarray(0, this.#filled);
    this.#buffer = undefined;
    this.#filled = 0;
    await this.#below.write(gathered);
    // There are two: one is filled while the other is written.
    if (this.#buffer) this.#spare = buffer;
    else this.#buffer = buffer;
  }
}
