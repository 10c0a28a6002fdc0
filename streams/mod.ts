/**
 * Byte streams over sockets, pipes and memory, as Web Streams.
 *
 * @module
 */

export type { ByteStreamPair } from "./byte_stream_pair.ts";
