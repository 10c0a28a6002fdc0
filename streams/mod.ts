export * from "./byte_stream.ts";
export * from "./byte_stream_pair.ts";
export * from "./byte_transport.ts";
export * from "./socket_stream.ts";
