import { assertInteger, assertTime, typeName } from "../streams/_assert.ts";
import { assertSettings } from "./_make_channel.ts";
import type { ChannelSettings } from "./channel_settings.ts";
import { ChannelServer } from "./_channel_server.ts";
import { openAcceptor } from "./_open_acceptor.ts";
import { reporter } from "./_reporter.ts";
import type { ErrorInfo } from "./error_info.ts";
import type { ListenOptions } from "./listen_options.ts";
import {
  DEFAULT_SHUTDOWN_TIMEOUT,
  type ServeBaseOptions,
  type ServeHandler,
  type ServeOptions,
  type ServeTcpOptions,
  type ServeTlsOptions,
  type ServeUnixOptions,
} from "./serve_options.ts";
import type { Server } from "./server.ts";

/**
 * Serves channels, as `Deno.serve` serves HTTP: `handler` is called for each
 * connection, and its channel is closed when what it returns settles.
 *
 * - A handler that throws costs its own channel, which is aborted. The error goes
 *   to `onError`, and the server goes on.
 * - An accept that fails (no free file) is tried again; at `maxConnections`
 *   accepting waits.
 * - Handshakes, of TLS and of `key`, run beside the accepting and under a
 *   deadline. A handler gets a channel through which messages can flow.
 * - `shutdown()` drains: it waits for the handlers, at most `shutdownTimeout`.
 *
 * With `key` we are the responder, unless `role` says otherwise. Permissions are those
 * of `listen`.
 *
 * @param options Where to listen, the options of every channel, and those of the
 * server.
 * @param handler Serves one connection.
 * @throws {TypeError} or `RangeError` if an option is wrong or cannot be honoured.
 * @throws {Deno.errors.AddrInUse} if somebody listens there already.
 *
 * @example
 * ```ts
 * import { connect, serve } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * const key = crypto.getRandomValues(new Uint8Array(32));
 * await using server = serve({ port: 0, key }, async (channel, { signal }) => {
 *   for (;;) {
 *     const message = await channel.recv({ signal });
 *     if (message === null) return;
 *     await channel.send(message);
 *   }
 * });
 *
 * await using channel = await connect({ port: server.addr.port }, { key });
 * await channel.send(new Uint8Array([1, 2]));
 * assertEquals(await channel.recv(), new Uint8Array([1, 2]));
 * ```
 */
export function serve(
  options: ServeTcpOptions | ServeTlsOptions,
  handler: ServeHandler,
): Server<Deno.NetAddr>;
/** Serves channels on a Unix socket. */
export function serve(
  options: ServeUnixOptions,
  handler: ServeHandler,
): Server<Deno.UnixAddr>;
/** Serves channels on TCP, TLS or a Unix socket. */
export function serve(options: ServeOptions, handler: ServeHandler): Server;
export function serve(options: ServeOptions, handler: ServeHandler): Server {
  const { listening, settings, serving } = splitOptions(options);
  const { signal, onListen, onError, maxConnections, shutdownTimeout } =
    serving;
  signal?.throwIfAborted();
  if (typeof handler !== "function") {
    throw new TypeError(
      `Cannot serve as handler must be a function: current type is ${
        typeName(handler)
      }`,
    );
  }
  assertSettings(settings);
  assertTime("shutdownTimeout", shutdownTimeout);
  if (maxConnections !== Infinity) {
    assertInteger("maxConnections", maxConnections, 1, MAX_CONNECTIONS);
  }
  const report = reporter(onError);
  const acceptor = openAcceptor(listening, { onError: report, maxConnections });
  try {
    onListen?.(acceptor.addr);
  } catch (error) {
    acceptor.close();
    throw error;
  }
  return new ChannelServer(acceptor, handler, {
    settings,
    signal,
    onError: report,
    shutdownTimeout,
  });
}

/** Gives each option to the part that it is for; what is left over is for `listen`. */
function splitOptions(
  {
    signal,
    onListen,
    onError = printError,
    maxConnections = Infinity,
    shutdownTimeout = DEFAULT_SHUTDOWN_TIMEOUT,
    key,
    role,
    context,
    handshakeTimeout,
    maxMessageSize,
    compression,
    batching,
    highWaterMark,
    stallTimeout,
    heartbeat,
    closeTimeout,
    ...listening
  }: ServeOptions,
) {
  const settings = {
    key,
    role,
    context,
    handshakeTimeout,
    maxMessageSize,
    compression,
    batching,
    highWaterMark,
    stallTimeout,
    heartbeat,
    closeTimeout,
  } satisfies Record<keyof ChannelSettings, unknown>;
  return {
    listening:
      ("certFile" in listening
        ? { ...listening, handshakeTimeout }
        : listening) as ListenOptions,
    settings: settings as ChannelSettings,
    serving: {
      signal,
      onListen: onListen as ServeBaseOptions["onListen"],
      onError,
      maxConnections,
      shutdownTimeout,
    },
  };
}

function printError(error: unknown, { phase }: ErrorInfo): void {
  if (phase === "handler" || phase === "accept") console.error(error);
}

const MAX_CONNECTIONS = 2 ** 31 - 1;
