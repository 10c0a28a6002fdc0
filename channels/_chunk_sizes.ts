import { infoOf } from "../streams/_pair_transport.ts";
import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import { STREAM_CHUNK_SIZE } from "../streams/constants.ts";
import { CHUNK_CAPACITY } from "./_chunk_pool.ts";
import { FRAME_OVERHEAD } from "./_frame.ts";
import { MAX_BODY_LENGTH } from "./_record.ts";

/** What chunks frames are put into. All in bytes. */
export interface ChunkSizes {
  /** A longer payload is not copied. */
  readonly maxCopied: number;
  /** The most that several frames fill of one chunk, which is full with `STREAM_CHUNK_SIZE`. */
  readonly maxChunk: number;
  /** The most that one frame has of a chunk by itself; at most `CHUNK_CAPACITY`. */
  readonly maxAlone: number;
  /**
   * A frame of at least this length that does not fit is split: its first part
   * makes this chunk full, the rest goes on in the next. A shorter one begins the
   * next chunk, as the peer has to copy what it puts together. At most
   * `maxAlone + 1`, if more than `maxAlone` is copied.
   */
  readonly minSplit: number;
  /** The length of the slices of a payload that is not copied. */
  readonly sliceSize: number;
}

/** Measured: to split frames of 1 KiB costs a tenth of the rate, of 2 and 4 KiB a twentieth. */
const MIN_SPLIT = 8192;

/** The sizes where nothing else asks for others: no frame is split. */
export const DEFAULT_SIZES: ChunkSizes = {
  maxCopied: CHUNK_CAPACITY - FRAME_OVERHEAD,
  maxChunk: CHUNK_CAPACITY,
  maxAlone: CHUNK_CAPACITY,
  minSplit: Infinity,
  sliceSize: 1_048_576,
};

/**
 * On loopback a segment of TCP has up to 65,483 bytes. A write of a little more
 * makes a second one, tiny, which costs as much: 64 KiB at a time are written half
 * as fast as 63. So it pays to copy twice as much.
 */
export const TCP_SIZES: ChunkSizes = {
  ...DEFAULT_SIZES,
  maxCopied: 262_144,
  maxChunk: STREAM_CHUNK_SIZE,
  minSplit: MIN_SPLIT,
};

/** With encryption a full chunk makes one record, and a write takes two. */
export const RECORD_SIZES: ChunkSizes = {
  ...DEFAULT_SIZES,
  maxChunk: STREAM_CHUNK_SIZE,
  maxAlone: MAX_BODY_LENGTH,
  minSplit: MIN_SPLIT,
  sliceSize: STREAM_CHUNK_SIZE,
};

/** The sizes for a channel over `stream`. */
export function chunkSizes(
  stream: ByteStreamPair,
  { encrypted, stallTimeout }: { encrypted: boolean; stallTimeout: number },
): ChunkSizes {
  if (encrypted) return RECORD_SIZES;
  const { transport } = infoOf(stream);
  const sizes = transport === "tcp" || transport === "tls"
    ? TCP_SIZES
    : DEFAULT_SIZES;
  // The watch counts a write only when it is finished, so that none may be long.
  return stallTimeout > 0 ? { ...sizes, sliceSize: STREAM_CHUNK_SIZE } : sizes;
}
