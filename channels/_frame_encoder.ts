import { STREAM_CHUNK_SIZE } from "../streams/constants.ts";
import { takeBuffer } from "./_chunk_pool.ts";
import { Fifo } from "./_fifo.ts";
import {
  FRAME_OVERHEAD,
  HEADER_SIZE,
  TRAILER,
  TRAILER_SIZE,
  writeHeader,
} from "./_frame.ts";

/** The size of the buffers for chunks that stay small, in bytes: after a pause there is little. */
const SMALL_BUFFER = 1024;
/** Payloads that are not copied leave in slices of this many bytes, so that progress shows. */
const SLICE_SIZE = 1_048_576;

/**
 * Encodes messages into chunks of the wire. Small frames are copied into one
 * chunk, one after the other; a payload that would fill a chunk by itself is
 * not copied, it becomes chunks of its own.
 */
export class FrameEncoder {
  /** Chunks that are complete, the next to be taken first. */
  readonly #sealed = new Fifo<Uint8Array>();
  /** How many frames begin in each of them. */
  readonly #sealedFrames = new Fifo<number>();
  /** The chunk being filled is `#buffer` from `#start` to `#filled`. */
  #buffer: Uint8Array = EMPTY;
  #start = 0;
  #filled = 0;
  #frames = 0;
  #takenFrames = 0;

  /** Whether there is a chunk to which nothing more will be added. */
  get hasFullChunk(): boolean {
    return this.#sealed.size > 0;
  }

  /** Whether there is nothing to take. */
  get isEmpty(): boolean {
    return this.#filled === this.#start && this.#sealed.size === 0;
  }

  /** How many frames began in the chunk that was taken last. */
  get takenFrames(): number {
    return this.#takenFrames;
  }

  /**
   * Appends one frame.
   *
   * @returns Whether the payload was copied. If not, chunks yet to be taken
   * are views of it.
   */
  encode(payload: Uint8Array, compressed: boolean): boolean {
    const { byteLength } = payload;
    const size = byteLength + FRAME_OVERHEAD;
    if (size > STREAM_CHUNK_SIZE) {
      this.#reserve(HEADER_SIZE);
      this.#putHeader(byteLength, compressed);
      this.#seal();
      for (let at = 0; at < byteLength; at += SLICE_SIZE) {
        this.#push(payload.subarray(at, at + SLICE_SIZE));
      }
      this.#reserve(TRAILER_SIZE);
      this.#buffer[this.#filled++] = TRAILER;
      return false;
    }
    if (this.#filled + size > this.#buffer.byteLength) this.#reserve(size);
    this.#putHeader(byteLength, compressed);
    this.#buffer.set(payload, this.#filled);
    this.#filled += byteLength;
    this.#buffer[this.#filled++] = TRAILER;
    return true;
  }

  /** Appends a zero-length chunk, which marks a place between the frames. */
  mark(): void {
    this.#seal();
    this.#push(new Uint8Array(0));
  }

  /** Removes the next chunk, complete or not; `undefined` if there is none. */
  take(): Uint8Array | undefined {
    if (this.#sealed.size === 0) this.#seal();
    this.#takenFrames = this.#sealedFrames.shift() ?? 0;
    return this.#sealed.shift();
  }

  /** Writes length and flag, for which there must be room. */
  #putHeader(length: number, compressed: boolean): void {
    writeHeader(this.#buffer, this.#filled, length, compressed);
    this.#filled += HEADER_SIZE;
    this.#frames++;
  }

  /** Makes room for `size` bytes, at most a chunk, in the chunk being filled or a new one. */
  #reserve(size: number): void {
    if (this.#filled + size <= this.#buffer.byteLength) return;
    if (this.#filled - this.#start + size > STREAM_CHUNK_SIZE) this.#seal();
    const begun = this.#buffer.subarray(this.#start, this.#filled);
    const buffer = begun.byteLength + size > SMALL_BUFFER
      ? takeBuffer()
      : new Uint8Array(SMALL_BUFFER);
    buffer.set(begun);
    this.#buffer = buffer;
    this.#start = 0;
    this.#filled = begun.byteLength;
  }

  /** Ends the chunk being filled, if there is anything in it. */
  #seal(): void {
    if (this.#filled === this.#start) return;
    this.#push(this.#buffer.subarray(this.#start, this.#filled));
    this.#start = this.#filled;
    if (this.#buffer.byteLength <= SMALL_BUFFER) return; // Its rest will do for more.
    this.#buffer = EMPTY;
    this.#start = this.#filled = 0;
  }

  #push(chunk: Uint8Array): void {
    this.#sealed.push(chunk);
    this.#sealedFrames.push(this.#frames);
    this.#frames = 0;
  }
}

const EMPTY = new Uint8Array(0);
