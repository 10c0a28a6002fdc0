/** What an idle pipe is read with, in bytes, and what a busy one is, at most. */
const MIN_SIZE = 1024;
const MAX_SIZE = 65_536;
/** How many times larger or smaller the next buffer may be. */
const STEP = 4;
/** So many small chunks in a row show that the buffer is too large. */
const MANY_SMALL = 16;

/**
 * Reads a byte stream of the platform with a buffer that follows the traffic,
 * where its default reader would hold 64 KiB for each read that waits. A chunk
 * that fills less than half of the buffer is copied out of it, so that a kept
 * chunk keeps at most as much again alive.
 */
export class PipeReader {
  readonly #reader: ReadableStreamBYOBReader;
  #buffer = new Uint8Array(MIN_SIZE);
  #small = 0;

  constructor(readable: ReadableStream<Uint8Array>) {
    this.#reader = readable.getReader({ mode: "byob" });
    this.#reader.closed.catch(() => {}); // The read that failed tells.
  }

  /** The next chunk, or `null` at the end or once it was cancelled. Never two at once. */
  async read(): Promise<Uint8Array | null> {
    const size = this.#buffer.byteLength;
    const { done, value } = await this.#reader.read(this.#buffer);
    if (done || value === undefined) return null;
    if (value.byteLength > size / 2) {
      this.#small = 0;
      const full = value.byteLength === size; // More may be waiting.
      this.#buffer = new Uint8Array(
        full ? Math.min(size * STEP, MAX_SIZE) : size,
      );
      return value;
    }
    const chunk = value.slice();
    if (++this.#small < MANY_SMALL) {
      this.#buffer = new Uint8Array(value.buffer);
    } else {
      this.#small = 0;
      this.#buffer = new Uint8Array(Math.max(size / STEP, MIN_SIZE));
    }
    return chunk;
  }

  /** Closes the pipe; a read that waits gives `null`. */
  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }
}
