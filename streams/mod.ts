/**
 * Duplex byte streams: TCP, TLS, Unix sockets, pipes, and wrappers around any
 * of them.
 *
 * @module
 */

export * from "./buffered_stream.ts";
export {
  ByteStream,
  type SignalOptions,
  type StreamAddress,
  type StreamInfo,
} from "./byte_stream.ts";
export * from "./byte_stream_pair.ts";
export * from "./byte_transport.ts";
export * from "./constants.ts";
export * from "./monitored_stream.ts";
export * from "./pipe_stream.ts";
export * from "./socket_stream.ts";
export * from "./tunneled_socket_stream.ts";
