/** The default size of a {@linkcode BufferedStream}'s buffers, in bytes. */
export const DEFAULT_BUFFER_SIZE = 8192;

/** The largest size of a {@linkcode BufferedStream}'s buffers, in bytes. */
export const MAX_BUFFER_SIZE = 1_048_576;

/**
 * The size of the chunks that large transfers are made of, in bytes. A channel that
 * has much to send fills its writes to it. A payload of more than 256 KiB, which is
 * not copied, goes out in pieces of 1 MiB, or of this size with `stallTimeout`.
 */
export const STREAM_CHUNK_SIZE = 64_000;
