/** The first buffer of a stream, and its smallest, in bytes. */
const MIN_SIZE = 256;
/**
 * The largest in bytes; what a kept chunk keeps alive at most. It is 64 KiB, which
 * many a payload is, or two of them, and a little for what stands around those.
 */
const MAX_SIZE = 65_548;
/** The largest that a read waits with which is likely to wait for long. */
const IDLE_SIZE = 4096;
/** How many times larger, or smaller, the next buffer may be. */
const GROWTH = 16;
const SHRINKAGE = 4;
/** A buffer that took this many reads to fill was too large for its traffic. */
const MANY_READS = 16;

/**
 * Memory to read into, that follows the traffic: small while a stream is idle,
 * large while it is busy. A buffer is given out in views, each once, and filled
 * to its end before the next is taken, so that small chunks share theirs. Only a
 * large one is dropped as soon as a read did not fill it: nothing more was
 * waiting, and the next read may wait for ever.
 */
export class ReadBuffer {
  #buffer: Uint8Array<ArrayBuffer> = EMPTY;
  #filled = 0;
  #reads = 0;
  #size = MIN_SIZE;
  /** Whether the last read left room: there was no more to read. */
  #drained = false;

  /** Free memory for the next read. */
  space(): Uint8Array<ArrayBuffer> {
    const { byteLength } = this.#buffer;
    if (this.#drained && byteLength > IDLE_SIZE) {
      this.#size = IDLE_SIZE;
      this.#renew();
    } else if (byteLength - this.#filled <= byteLength / 8) {
      // A remainder that short is not worth a system call.
      if (this.#reads >= MANY_READS) {
        this.#size = Math.max(MIN_SIZE, this.#size / SHRINKAGE);
      }
      this.#renew();
    }
    return this.#buffer.subarray(this.#filled);
  }

  /** The `count` bytes that were read into the last {@linkcode space}. */
  take(count: number): Uint8Array<ArrayBuffer> {
    const start = this.#filled;
    this.#filled += count;
    this.#reads++;
    this.#drained = this.#filled < this.#buffer.byteLength;
    if (!this.#drained && this.#reads < MANY_READS) {
      this.#size = Math.min(MAX_SIZE, this.#size * GROWTH);
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
