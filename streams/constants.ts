/** The default size of a {@linkcode BufferedStream}'s buffers, in bytes. */
export const DEFAULT_BUFFER_SIZE = 8192;

/** The largest size of a {@linkcode BufferedStream}'s buffers, in bytes. */
export const MAX_BUFFER_SIZE = 1_048_576;

/**
 * The size of the chunks that large transfers are made of, in bytes. A channel ends
 * a chunk that has as much: over TCP it has no more, elsewhere it ends behind the
 * frame that makes it full. A payload too long to be copied goes out in pieces of 1 MiB,
 * or of this size with encryption or `stallTimeout`.
 */
export const STREAM_CHUNK_SIZE = 64_000;
