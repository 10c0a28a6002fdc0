import { STREAM_CHUNK_SIZE } from "../streams/constants.ts";
import { CHUNK_CAPACITY, takeBuffer } from "./_chunk_pool.ts";
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
/** Payloads that are not copied leave in slices of this many bytes. */
export const SLICE_SIZE = 1_048_576;

/** A chunk that is complete. */
interface SealedChunk {
  readonly bytes: Uint8Array;
  /** How many frames begin in it. */
  readonly frames: number;
}

/**
 * Encodes messages into chunks of the wire. Frames are copied into one chunk,
 * one after the other, until it is full. A payload that is larger than a whole
 * chunk is not copied: it becomes chunks of its own.
 */
export class FrameEncoder {
  readonly #sliceSize: number;
  /** Chunks that are complete, the next to be taken first. */
  readonly #sealed = new Fifo<SealedChunk>();
  #hasFullChunk = false;
  /** The chunk being filled is `#buffer` from `#start` to `#filled`. */
  #buffer: Uint8Array = EMPTY;
  #start = 0;
  #filled = 0;
  /** How many frames begin in it. */
  #frames = 0;
  #takenFrames = 0;

  /** @param sliceSize Of payloads that are not copied, in bytes. */
  constructor(sliceSize: number) {
    this.#sliceSize = sliceSize;
  }

  /** Whether there is a chunk to which nothing more will be added. */
  get hasFullChunk(): boolean {
    return this.#hasFullChunk;
  }

  /** Whether there is nothing to take. */
  get isEmpty(): boolean {
    return this.#filled === this.#start && !this.#hasFullChunk;
  }

  /** How many frames began in the chunk that was taken last. */
  get takenFrames(): number {
    return this.#takenFrames;
  }

  /**
   * Appends one frame.
   *
   * @returns Whether the payload was copied. If not, chunks yet to be taken are
   * views of it, and after them comes one of no length, to tell when they are
   * out. It stands before the frame's last byte, which can so leave with the
   * frame that follows.
   */
  encode(payload: Uint8Array, compressed: boolean): boolean {
    const { byteLength } = payload;
    const size = byteLength + FRAME_OVERHEAD;
    if (!isCopied(payload)) {
      this.#encodeSlices(payload, compressed);
      return false;
    }
    if (this.#filled + size > this.#buffer.byteLength) this.#reserve(size);
    this.#putHeader(byteLength, compressed);
    this.#buffer.set(payload, this.#filled);
    this.#filled += byteLength;
    this.#buffer[this.#filled++] = TRAILER;
    if (this.#filled - this.#start >= STREAM_CHUNK_SIZE) this.#seal();
    return true;
  }

  /** Appends a chunk of no length, which marks a place between the frames. */
  mark(): void {
    this.#seal();
    this.#push(EMPTY);
  }

  /** Removes the next chunk, complete or not; `undefined` if there is none. */
  take(): Uint8Array | undefined {
    if (!this.#hasFullChunk) this.#seal();
    const chunk = this.#sealed.shift();
    this.#hasFullChunk = this.#sealed.size > 0;
    this.#takenFrames = chunk?.frames ?? 0;
    return chunk?.bytes;
  }

  #encodeSlices(payload: Uint8Array, compressed: boolean): void {
    const { byteLength } = payload;
    this.#reserve(HEADER_SIZE);
    this.#putHeader(byteLength, compressed);
    this.#seal();
    for (let at = 0; at < byteLength; at += this.#sliceSize) {
      this.#push(payload.subarray(at, at + this.#sliceSize));
    }
    this.#push(EMPTY);
    this.#reserve(TRAILER_SIZE);
    this.#buffer[this.#filled++] = TRAILER;
  }

  /** Writes length and flag, for which there must be room. */
  #putHeader(length: number, compressed: boolean): void {
    writeHeader(this.#buffer, this.#filled, length, compressed);
    this.#filled += HEADER_SIZE;
    this.#frames++;
  }

  /** Makes room for `size` bytes, at most a buffer, in the chunk being filled or a new one. */
  #reserve(size: number): void {
    if (this.#filled + size <= this.#buffer.byteLength) return;
    if (this.#filled - this.#start + size > CHUNK_CAPACITY) this.#seal();
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

  #push(bytes: Uint8Array): void {
    this.#sealed.push({ bytes, frames: this.#frames });
    this.#hasFullChunk = true;
    this.#frames = 0;
  }
}

/** Whether {@linkcode FrameEncoder.encode} copies this payload. */
export function isCopied({ byteLength }: Uint8Array): boolean {
  return byteLength + FRAME_OVERHEAD <= CHUNK_CAPACITY;
}

const EMPTY = new Uint8Array(0);
