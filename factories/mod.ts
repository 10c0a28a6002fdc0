/**
 * Functions that make streams, channels and servers.
 *
 * @module
 */

export * from "./channel_lease.ts";
export * from "./channel_pool.ts";
export * from "./channel_settings.ts";
export * from "./connect.ts";
export * from "./create_pipe_stream.ts";
export * from "./create_socket_stream.ts";
export * from "./create_ssl_stream.ts";
export * from "./create_tunneled_stream.ts";
export * from "./create_unix_stream.ts";
export * from "./error_info.ts";
export * from "./listen.ts";
export * from "./listen_options.ts";
export * from "./monitoring.ts";
export * from "./reconnecting.ts";
export * from "./serve.ts";
export * from "./serve_options.ts";
export * from "./server.ts";
export * from "./stream_listener.ts";
