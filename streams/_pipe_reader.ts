/** What a pipe is read with, in bytes: while it is idle, and while more may be waiting. */
const IDLE_SIZE = 4096;
const BUSY_SIZE = 65_536;

/**
 * Reads a byte stream of the platform with a buffer that follows the traffic,
 * where its default reader would hold 64 KiB for each read that waits. A chunk
 * that fills less than half of the buffer is copied out of it, so that a kept
 * chunk keeps at most as much again alive.
 */
export class PipeReader {
  readonly #reader: ReadableStreamBYOBReader;
  #buffer = new Uint8Array(IDLE_SIZE);

  constructor(readable: ReadableStream<Uint8Array>) {
    this.#reader = readable.getReader({ mode: "byob" });
    this.#reader.closed.catch(() => {}); // The read that failed tells.
  }

  /** The next chunk, or `null` at the end or once it was cancelled. Never two at once. */
  async read(): Promise<Uint8Array | null> {
    const { done, value } = await this.#reader.read(this.#buffer);
    if (done || value === undefined) return null;
    const size = value.buffer.byteLength;
    if (value.byteLength > size / 2) {
      this.#buffer = new Uint8Array(
        value.byteLength === size ? BUSY_SIZE : IDLE_SIZE,
      );
      return value;
    }
    const chunk = value.slice();
    this.#buffer = size === IDLE_SIZE
      ? new Uint8Array(value.buffer)
      : new Uint8Array(IDLE_SIZE);
    return chunk;
  }

  /** Closes the pipe; a read that waits gives `null`. */
  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }
}
