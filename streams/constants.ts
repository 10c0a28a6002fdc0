/** The default size of a {@linkcode BufferedStream}'s buffers, in bytes. */
export const DEFAULT_BUFFER_SIZE = 8192;

/** The largest size of a {@linkcode BufferedStream}'s buffers, in bytes. */
export const MAX_BUFFER_SIZE = 1_048_576;

/**
 * The size of a full chunk, in bytes: a channel that gathers what it sends ends a
 * chunk that has as much. A long message can leave in larger ones.
 */
export const STREAM_CHUNK_SIZE = 64_000;
