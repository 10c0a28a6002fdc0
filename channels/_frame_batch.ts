import { FRAME_OVERHEAD, HEADER_SIZE, PLAIN, readLength } from "./_frame.ts";

/** Whole frames, one after the other. */
interface Run {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly start: number;
  readonly end: number;
}

/**
 * The frames that one chunk completed, to be taken one by one. Until then they
 * are nothing but their bytes: a queue of a million messages holds no object for
 * each, which the garbage collector would have to look at again and again.
 */
export class FrameBatch {
  /** What it counts for in a queue, in bytes. */
  queueSize = 0;
  #size = 0;
  /** A payload by itself, which is the first. */
  #payload: Uint8Array<ArrayBuffer> | undefined;
  #payloadFlag = PLAIN;
  /** The run being taken from. */
  #bytes: Uint8Array<ArrayBuffer> = EMPTY;
  #buffer: ArrayBuffer = EMPTY.buffer;
  #offset = 0;
  #at = 0;
  #end = 0;
  /** The runs after it; rarely there are any. */
  #runs: Run[] | undefined;

  /** How many messages are left. */
  get size(): number {
    return this.#size;
  }

  /** Whether the next payload is zlib data. */
  get isCompressed(): boolean {
    const flag = this.#payload
      ? this.#payloadFlag
      : this.#bytes[this.#at + HEADER_SIZE - 1];
    return flag !== PLAIN;
  }

  /** Appends a payload that was put together; before all runs. */
  addPayload(payload: Uint8Array<ArrayBuffer>, flag: number): void {
    this.#payload = payload;
    this.#payloadFlag = flag;
    this.#size++;
  }

  /** Appends `count` whole frames, which `bytes` has from `start` to `end`. */
  addRun(
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    end: number,
    count: number,
  ): void {
    if (this.#at === this.#end) this.#begin({ bytes, start, end });
    else (this.#runs ??= []).push({ bytes, start, end });
    this.#size += count;
  }

  /** The next payload, of which there must be one. */
  take(): Uint8Array<ArrayBuffer> {
    this.#size--;
    const payload = this.#payload;
    if (payload) {
      this.#payload = undefined;
      return payload;
    }
    const buffer = this.#buffer;
    const start = this.#offset + this.#at + HEADER_SIZE;
    const length = readLength(this.#bytes, this.#at);
    this.#at += length + FRAME_OVERHEAD;
    if (this.#at === this.#end && this.#runs) {
      const next = this.#runs.shift();
      if (next) this.#begin(next);
    }
    // A view this way takes less time than by subarray().
    return new Uint8Array(buffer, start, length);
  }

  #begin({ bytes, start, end }: Run): void {
    this.#bytes = bytes;
    this.#buffer = bytes.buffer;
    this.#offset = bytes.byteOffset;
    this.#at = start;
    this.#end = end;
  }
}

const EMPTY = new Uint8Array(0);
