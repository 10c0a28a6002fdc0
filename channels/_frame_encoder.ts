import { STREAM_CHUNK_SIZE } from "../streams/constants.ts";
import { CHUNK_CAPACITY, takeBuffer } from "./_chunk_pool.ts";
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

/** What chunks a {@linkcode FrameEncoder} makes. */
export interface ChunkSizes {
  /** The most that frames are copied into one chunk, in bytes; at most `CHUNK_CAPACITY`. */
  readonly limit: number;
  /** The length of the slices of a payload that is not copied, in bytes. */
  readonly slice: number;
}

/** The sizes where nothing else asks for others. */
export const DEFAULT_SIZES: ChunkSizes = {
  limit: CHUNK_CAPACITY,
  slice: 1_048_576,
};

/** A chunk that is complete. */
export interface EncodedChunk {
  readonly bytes: Uint8Array;
  /** How many frames end in it. */
  readonly frames: number;
  /** If it is a slice of a payload that was not copied: whether it is the last. */
  readonly slice?: "last" | "other";
}

/**
 * Encodes messages into chunks of the wire. Frames are copied into one chunk,
 * one after the other, until it is full. Of a payload that is larger than a buffer
 * only the beginning is copied, which leaves with its header; the rest becomes
 * chunks of its own.
 */
export class FrameEncoder {
  readonly #sizes: ChunkSizes;
  /** Chunks that are complete, the next to be taken first. */
  readonly #sealed = new Fifo<EncodedChunk>();
  #hasFullChunk = false;
  /** The chunk being filled is `#buffer` from `#start` to `#filled`. */
  #buffer: Uint8Array = EMPTY;
  #start = 0;
  #filled = 0;
  /** How many frames end in it. */
  #frames = 0;

  constructor(sizes: ChunkSizes = DEFAULT_SIZES) {
    this.#sizes = sizes;
  }

  /** Whether there is a chunk to which nothing more will be added. */
  get hasFullChunk(): boolean {
    return this.#hasFullChunk;
  }

  /** Whether there is nothing to take. */
  get isEmpty(): boolean {
    return this.#filled === this.#start && !this.#hasFullChunk;
  }

  /**
   * Appends one frame.
   *
   * @returns Whether all of the payload was copied. If not, chunks yet to be taken
   * are slices of it. The frame's last byte comes after them, and can so leave with the
   * frame that follows.
   */
  encode(payload: Uint8Array, compressed: boolean): boolean {
    const { byteLength } = payload;
    const size = byteLength + FRAME_OVERHEAD;
    if (!isCopied(payload)) {
      this.#encodeSlices(payload, compressed);
      return false;
    }
    if (size > this.#sizes.limit) {
      this.#encodeParts(payload, compressed);
    } else {
      if (this.#filled + size > this.#buffer.byteLength) this.#reserve(size);
      this.#putHeader(byteLength, compressed);
      this.#buffer.set(payload, this.#filled);
      this.#filled += byteLength;
      this.#putTrailer();
    }
    if (this.#filled - this.#start >= STREAM_CHUNK_SIZE) this.#seal();
    return true;
  }

  /** Appends a chunk of no length, which marks a place between the frames. */
  mark(): void {
    this.#seal();
    this.#push({ bytes: EMPTY, frames: 0 });
  }

  /** Removes the next chunk, complete or not; `undefined` if there is none. */
  take(): EncodedChunk | undefined {
    if (!this.#hasFullChunk) return this.#cut();
    const chunk = this.#sealed.shift();
    this.#hasFullChunk = this.#sealed.size > 0;
    return chunk;
  }

  /** Copies a frame that is longer than a chunk. */
  #encodeParts(payload: Uint8Array, compressed: boolean): void {
    const { limit } = this.#sizes;
    this.#reserve(HEADER_SIZE);
    this.#putHeader(payload.byteLength, compressed);
    for (let at = 0; at < payload.byteLength;) {
      const room = limit - (this.#filled - this.#start);
      const part = payload.subarray(at, at + room);
      this.#reserve(part.byteLength);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.byteLength;
      at += part.byteLength;
      if (part.byteLength === room) this.#seal();
    }
    this.#reserve(TRAILER_SIZE);
    this.#putTrailer();
  }

  #encodeSlices(payload: Uint8Array, compressed: boolean): void {
    const { byteLength } = payload;
    const { limit, slice } = this.#sizes;
    this.#reserve(HEADER_SIZE);
    this.#putHeader(byteLength, compressed);
    // The header alone would be a write for 5 bytes, and wake the peer for them.
    const room = Math.min(limit, STREAM_CHUNK_SIZE) -
      (this.#filled - this.#start);
    const head = payload.subarray(0, Math.max(0, room));
    this.#reserve(head.byteLength);
    this.#buffer.set(head, this.#filled);
    this.#filled += head.byteLength;
    this.#seal();
    for (let at = head.byteLength; at < byteLength; at += slice) {
      const isLast = at + slice >= byteLength;
      this.#push({
        bytes: payload.subarray(at, at + slice),
        frames: 0,
        slice: isLast ? "last" : "other",
      });
    }
    this.#reserve(TRAILER_SIZE);
    this.#putTrailer();
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
    if (this.#filled + size <= this.#buffer.byteLength) return;
    const { limit } = this.#sizes;
    // What is a chunk already is not worth a copy, and none may pass the limit.
    const length = this.#filled - this.#start;
    if (length > SMALL_BUFFER || length + size > limit) this.#seal();
    const begun = this.#buffer.subarray(this.#start, this.#filled);
    const needed = begun.byteLength + size;
    const buffer = needed > SMALL_BUFFER
      ? takeBuffer(needed).subarray(0, limit)
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
    const frames = this.#frames;
    this.#frames = 0;
    this.#start = this.#filled;
    // The rest of a small buffer will do for more; without one the chunk is all of
    // it, which whoever takes the chunk may keep.
    const { byteLength } = this.#buffer;
    if (byteLength > SMALL_BUFFER || this.#filled === byteLength) {
      this.#buffer = EMPTY;
      this.#start = this.#filled = 0;
    }
    return { bytes, frames };
  }

  #push(chunk: EncodedChunk): void {
    this.#sealed.push(chunk);
    this.#hasFullChunk = true;
  }
}

/** Whether {@linkcode FrameEncoder.encode} copies this payload. */
export function isCopied({ byteLength }: Uint8Array): boolean {
  return byteLength + FRAME_OVERHEAD <= CHUNK_CAPACITY;
}

const EMPTY = new Uint8Array(0);
