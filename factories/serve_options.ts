import type { Channel } from "../channels/channel.ts";
import type { StreamInfo } from "../streams/byte_stream.ts";
import type { ChannelSettings } from "./channel_settings.ts";
import type { ErrorInfo } from "./error_info.ts";
import type {
  ListenTcpOptions,
  ListenTlsOptions,
  ListenUnixOptions,
} from "./listen_options.ts";

/** The default of {@linkcode ServeBaseOptions.shutdownTimeout}, in milliseconds. */
export const DEFAULT_SHUTDOWN_TIMEOUT = 10_000;

/** Options of every {@linkcode serve}, beside where to listen. */
export interface ServeBaseOptions<Address extends Deno.Addr = Deno.Addr>
  extends ChannelSettings {
  /**
   * Ends the server at once when it aborts: channels are aborted with its
   * `reason`, and handlers are not waited for. `shutdown()` is the gentle way.
   */
  signal?: AbortSignal;

  /** Is called once the server listens. */
  onListen?: (addr: Address) => void;

  /**
   * Is told of every failure, none of which ends the server. `info.phase` is
   * `"handler"` when a handler threw, whose channel is then aborted;
   * `"connection"` when what it threw is the failure of its channel; `"accept"`
   * and `"handshake"` when there was no channel yet.
   *
   * By default `"handler"` and `"accept"` are printed with `console.error`. The
   * others are not: a stranger can cause them without end.
   */
  onError?: (error: unknown, info: ErrorInfo) => void;

  /**
   * At most this many connections at a time, without limit by default. At the
   * limit new ones wait in the system's backlog. A connection counts from its
   * accept, so with its handshakes of TLS and of `key`, until its handler is done
   * and its channel closed. Clients that are silent in a handshake have their
   * places until `handshakeTimeout`.
   */
  maxConnections?: number;

  /**
   * How long `shutdown()` waits for handlers, in milliseconds, 10,000 by
   * default; 0 is for ever.
   */
  shutdownTimeout?: number;
}

/** Options of {@linkcode serve} on TCP. */
export interface ServeTcpOptions
  extends ListenTcpOptions, ServeBaseOptions<Deno.NetAddr> {}

/** Options of {@linkcode serve} on TLS; `handshakeTimeout` is that of TLS and that of `key`. */
export interface ServeTlsOptions
  extends ListenTlsOptions, ServeBaseOptions<Deno.NetAddr> {}

/** Options of {@linkcode serve} on a Unix socket. */
export interface ServeUnixOptions
  extends ListenUnixOptions, ServeBaseOptions<Deno.UnixAddr> {}

/** Options of {@linkcode serve}. */
export type ServeOptions = ServeTcpOptions | ServeTlsOptions | ServeUnixOptions;

/** What a handler is told of its connection. */
export interface ServeInfo extends StreamInfo {
  /**
   * Aborts when the server shuts down, with a `StreamClosedError`. A handler
   * that waits for its peer passes it on, `channel.recv({ signal })`, to end
   * between two messages.
   */
  readonly signal: AbortSignal;
}

/**
 * Serves one connection. The channel is closed when what it returns settles, and
 * aborted if it throws.
 */
export type ServeHandler = (channel: Channel, info: ServeInfo) => unknown;
