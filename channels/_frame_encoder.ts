import { STREAM_CHUNK_SIZE } from "../streams/constants.ts";
import { newBuffer, takeBuffer } from "./_chunk_pool.ts";
import { type ChunkSizes, DEFAULT_SIZES } from "./_chunk_sizes.ts";
import { Fifo } from "../streams/_fifo.ts";
import {
  FRAME_OVERHEAD,
  HEADER_SIZE,
  TRAILER,
  TRAILER_SIZE,
  writeHeader,
} from "./_frame.ts";

/** The size of the buffers for chunks that stay small, in bytes: after a pause there is little. */
const SMALL_BUFFER = 1024;

/** A chunk that is complete. */
export interface EncodedChunk {
  readonly bytes: Uint8Array;
  /** How many frames end in it. */
  readonly frames: number;
  /** Whether it begins within a frame. */
  readonly continues: boolean;
  /** If it is a slice of a payload that was not copied: whether it is the last. */
  readonly slice?: "last" | "other";
}

/**
 * Encodes messages into chunks of the wire. Frames are copied into one chunk,
 * one after the other, until it is full; the last may go on in the next. Of a large
 * payload only the beginning is copied, which leaves with its header; the rest
 * becomes chunks of its own.
 */
export class FrameEncoder {
  readonly #sizes: ChunkSizes;
  readonly #takeBuffer: typeof takeBuffer;
  /** Chunks that are complete, the next to be taken first. */
  readonly #sealed = new Fifo<EncodedChunk>();
  #hasFullChunk = false;
  /** The chunk being filled is `#buffer` from `#start` to `#filled`. */
  #buffer: Uint8Array = EMPTY;
  #start = 0;
  #filled = 0;
  /** How many frames end in it. */
  #frames = 0;
  /** Whether it begins within a frame. */
  #continues = false;

  /**
   * @param sizes Of the chunks.
   * @param pooled Whether chunks stay with us until they are written or encrypted, so
   * that their buffers may be those of the pool.
   */
  constructor(sizes: ChunkSizes = DEFAULT_SIZES, pooled = false) {
    this.#sizes = sizes;
    this.#takeBuffer = pooled ? takeBuffer : newBuffer;
  }

  /** Whether there is a chunk to which nothing more will be added. */
  get hasFullChunk(): boolean {
    return this.#hasFullChunk;
  }

  /** How many frames end in the chunk being filled. */
  get frames(): number {
    return this.#frames;
  }

  /** Whether there is nothing to take. */
  get isEmpty(): boolean {
    return this.#filled === this.#start && !this.#hasFullChunk;
  }

  /** Whether all of a payload is copied. */
  copies({ byteLength }: Uint8Array): boolean {
    return byteLength <= this.#sizes.maxCopied;
  }

  /**
   * Appends one frame.
   *
   * @param alone Whether it will be taken at once, with nothing before it.
   * @returns Whether it {@linkcode copies} the payload. If not, chunks yet to be taken
   * are slices of it. The frame's last byte comes after them, and can so leave with the
   * frame that follows.
   */
  encode(payload: Uint8Array, compressed: boolean, alone = false): boolean {
    const { byteLength } = payload;
    const size = byteLength + FRAME_OVERHEAD;
    if (!this.copies(payload)) {
      this.#encodeSlices(payload, compressed);
      return false;
    }
    const { maxChunk, maxAlone, minSplit } = this.#sizes;
    if (this.#filled - this.#start + size > (alone ? maxAlone : maxChunk)) {
      if (size >= minSplit) {
        this.#encodeParts(payload, compressed);
        return true;
      }
      this.#seal();
    }
    if (this.#filled + size > this.#buffer.byteLength) this.#reserve(size);
    this.#putHeader(byteLength, compressed);
    this.#buffer.set(payload, this.#filled);
    this.#filled += byteLength;
    this.#putTrailer();
    if (this.#filled - this.#start >= STREAM_CHUNK_SIZE) this.#seal();
    return true;
  }

  /** Appends a chunk of no length, which marks a place between the frames. */
  mark(): void {
    this.#seal();
    this.#push({ bytes: EMPTY, frames: 0, continues: false });
  }

  /** Removes the next chunk, complete or not; `undefined` if there is none. */
  take(): EncodedChunk | undefined {
    if (!this.#hasFullChunk) return this.#cut();
    const chunk = this.#sealed.shift();
    this.#hasFullChunk = this.#sealed.size > 0;
    return chunk;
  }

  /** Copies a frame into the chunk being filled and those after it. */
  #encodeParts(payload: Uint8Array, compressed: boolean): void {
    const { byteLength } = payload;
    this.#reserve(HEADER_SIZE);
    this.#putHeader(byteLength, compressed);
    for (let at = 0; at < byteLength;) at += this.#copy(payload.subarray(at));
    this.#reserve(TRAILER_SIZE);
    this.#putTrailer();
  }

  #encodeSlices(payload: Uint8Array, compressed: boolean): void {
    const { byteLength } = payload;
    const { sliceSize } = this.#sizes;
    this.#reserve(HEADER_SIZE);
    this.#putHeader(byteLength, compressed);
    // The header alone would be a write for 5 bytes, and wake the peer for them.
    const copied = this.#copy(payload);
    this.#seal();
    this.#continues = true;
    for (let at = copied; at < byteLength; at += sliceSize) {
      const isLast = at + sliceSize >= byteLength;
      this.#push({
        bytes: payload.subarray(at, at + sliceSize),
        frames: 0,
        continues: true,
        slice: isLast ? "last" : "other",
      });
    }
    this.#reserve(TRAILER_SIZE);
    this.#putTrailer();
  }

  /**
   * Copies what makes the chunk being filled full, and ends it then.
   *
   * @returns How many bytes that was.
   */
  #copy(payload: Uint8Array): number {
    const length = this.#filled - this.#start;
    const room = Math.max(0, STREAM_CHUNK_SIZE - length);
    const part = payload.subarray(0, room);
    const { byteLength } = part;
    this.#reserve(byteLength);
    this.#buffer.set(part, this.#filled);
    this.#filled += byteLength;
    if (byteLength === room) {
      this.#seal();
      this.#continues = true;
    }
    return byteLength;
  }

  /** Writes length and flag, for which there must be room. */
  #putHeader(length: number, compressed: boolean): void {
    writeHeader(this.#buffer, this.#filled, length, compressed);
    this.#filled += HEADER_SIZE;
  }

  /** Ends a frame, for whose last byte there must be room. */
  #putTrailer(): void {
    this.#buffer[this.#filled++] = TRAILER;
    this.#frames++;
  }

  /** Makes room for `size` bytes, at most a chunk, in the chunk being filled or a new one. */
  #reserve(size: number): void {
    const length = this.#filled - this.#start;
    // The buffer may have room for more than one chunk may have.
    if (length + size > this.#sizes.maxChunk) this.#seal();
    if (this.#filled + size <= this.#buffer.byteLength) return;
    if (length > SMALL_BUFFER) this.#seal(); // A chunk already, and not worth a copy.
    const begun = this.#buffer.subarray(this.#start, this.#filled);
    const needed = begun.byteLength + size;
    const buffer = needed > SMALL_BUFFER
      ? this.#takeBuffer(needed)
      : new Uint8Array(SMALL_BUFFER);
    buffer.set(begun);
    this.#buffer = buffer;
    this.#start = 0;
    this.#filled = begun.byteLength;
  }

  /** Ends the chunk being filled, if there is anything in it. */
  #seal(): void {
    const chunk = this.#cut();
    if (chunk) this.#push(chunk);
  }

  /** Takes the chunk being filled, if there is anything in it, and begins another. */
  #cut(): EncodedChunk | undefined {
    if (this.#filled === this.#start) return undefined;
    const bytes = this.#buffer.subarray(this.#start, this.#filled);
    const [frames, continues] = [this.#frames, this.#continues];
    this.#frames = 0;
    this.#continues = false;
    this.#start = this.#filled;
    // The rest of a small buffer will do for more; without one the chunk is all of
    // it, which whoever takes the chunk may keep.
    const { byteLength } = this.#buffer;
    if (byteLength > SMALL_BUFFER || this.#filled === byteLength) {
      this.#buffer = EMPTY;
      this.#start = this.#filled = 0;
    }
    return { bytes, frames, continues };
  }

  #push(chunk: EncodedChunk): void {
    this.#sealed.push(chunk);
    this.#hasFullChunk = true;
  }
}

const EMPTY = new Uint8Array(0);
