/** The first buffer of a stream in bytes: what an idle stream holds. */
const MIN_SIZE = 1024;
/** The largest in bytes; what a kept chunk keeps alive at most. */
const MAX_SIZE = 65_536;
/** How many times larger or smaller the next buffer may be. */
const STEP = 4;
/** A buffer that took this many reads to fill was too large for its traffic. */
const MANY_READS = 16;

/**
 * Memory to read into, that follows the traffic: small while a stream is idle,
 * large while it is busy. A buffer is given out in views, each once, and filled
 * to its end before the next is taken, so that small chunks share theirs.
 */
export class ReadBuffer {
  #buffer: Uint8Array<ArrayBuffer> = EMPTY;
  #filled = 0;
  #reads = 0;
  #size = MIN_SIZE;

  /** Free memory for the next read. */
  space(): Uint8Array<ArrayBuffer> {
    // A remainder too short to be worth a system call is left.
    if (this.#buffer.byteLength - this.#filled < this.#buffer.byteLength / 8) {
      if (this.#reads >= MANY_READS) {
        this.#size = Math.max(MIN_SIZE, this.#size / STEP);
      }
      this.#renew();
    } else if (this.#buffer.byteLength === 0) {
      this.#renew();
    }
    return this.#buffer.subarray(this.#filled);
  }

  /** The `count` bytes that were read into the last {@linkcode space}. */
  take(count: number): Uint8Array<ArrayBuffer> {
    const start = this.#filled;
    this.#filled += count;
    this.#reads++;
    if (this.#filled === this.#buffer.byteLength && this.#reads < MANY_READS) {
      // More was waiting than there was room for.
      this.#size = Math.min(MAX_SIZE, this.#size * STEP);
    }
    return this.#buffer.subarray(start, this.#filled);
  }

  #renew(): void {
    this.#buffer = new Uint8Array(this.#size);
    this.#filled = 0;
    this.#reads = 0;
  }
}

const EMPTY = new Uint8Array(0);
