import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import { STREAM_CHUNK_SIZE } from "../streams/constants.ts";
import { SocketStream } from "../streams/socket_stream.ts";
import { CHUNK_CAPACITY } from "./_chunk_pool.ts";
import { MAX_BODY_LENGTH } from "./_record.ts";

/** What chunks frames are put into. All in bytes. */
export interface ChunkSizes {
  /** The most that several frames fill of one chunk. */
  readonly limit: number;
  /** The most that one frame may have to be a chunk by itself; at most `CHUNK_CAPACITY`. */
  readonly whole: number;
  /**
   * From which length on a frame goes on in the next chunk to fill this one. A
   * shorter one the peer would have to put together again for little. At most
   * `whole` and one.
   */
  readonly minSplit: number;
  /** The length of the slices of a payload that is not copied. */
  readonly slice: number;
}

/** The sizes where nothing else asks for others. */
export const DEFAULT_SIZES: ChunkSizes = {
  limit: STREAM_CHUNK_SIZE,
  whole: CHUNK_CAPACITY,
  minSplit: CHUNK_CAPACITY + 1,
  slice: 1_048_576,
};

/**
 * On loopback a segment of TCP has up to 65,483 bytes. A write of a little more
 * makes a second one, tiny, which costs as much: 64 KiB at a time are written half
 * as fast as 63.
 */
export const SOCKET_SIZES: ChunkSizes = { ...DEFAULT_SIZES, minSplit: 8192 };

/** With encryption a full chunk makes one whole record, and a write takes two. */
export const RECORD_SIZES: ChunkSizes = {
  limit: STREAM_CHUNK_SIZE,
  whole: MAX_BODY_LENGTH,
  minSplit: 8192,
  slice: STREAM_CHUNK_SIZE,
};

/** The sizes for a channel over `stream`. */
export function chunkSizes(
  stream: ByteStreamPair,
  { encrypted, stallTimeout }: { encrypted: boolean; stallTimeout: number },
): ChunkSizes {
  if (encrypted) return RECORD_SIZES;
  const sizes = stream instanceof SocketStream ? SOCKET_SIZES : DEFAULT_SIZES;
  // The watch sees a write when it is done, so it must not take long.
  return stallTimeout > 0 ? { ...sizes, slice: STREAM_CHUNK_SIZE } : sizes;
}
