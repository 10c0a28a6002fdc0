/** The default size of a {@linkcode BufferedStream}'s buffers, in bytes. */
export const DEFAULT_BUFFER_SIZE = 8192;

/** The largest size of a {@linkcode BufferedStream}'s buffers, in bytes. */
export const MAX_BUFFER_SIZE = 1_048_576;

/**
 * The size of the chunks that large transfers are cut into, in bytes. A channel
 * gathers small frames into chunks of this size at most.
 */
export const STREAM_CHUNK_SIZE = 64_000;
