import type { Channel } from "../channels/channel.ts";
import type { StreamInfo } from "../streams/byte_stream.ts";
import type {
  ConnectOptions,
  ConnectTlsOptions,
  ConnectUnixOptions,
} from "../streams/socket_stream.ts";
import { assertSettings } from "./_make_channel.ts";
import type { ChannelSettings } from "./channel_settings.ts";
import { publishConnect, publishEnd, publishError } from "./_monitoring.ts";
import { openChannel } from "./_open_channel.ts";
import { openStream } from "./_open_stream.ts";
import type { CreatePipeStreamOptions } from "./create_pipe_stream.ts";

/** How {@linkcode connect} speaks TLS. */
export type ConnectTargetTls = Pick<
  ConnectTlsOptions,
  "keyFile" | "certFile" | "caCerts" | "alpnProtocols"
>;

/** A TCP port, and how to reach it. */
export interface TcpTarget extends ConnectOptions {
  /** Host name or IP address, `"127.0.0.1"` by default. */
  hostname?: string;
  /** Port, 0 to 65535. */
  port: number;
  /**
   * TLS with the platform's certificate authorities (`true`), or with options of
   * `createSslStream`; off by default.
   */
  tls?: boolean | ConnectTargetTls;
}

/** A Unix socket, and how to reach it. */
export interface UnixTarget extends ConnectUnixOptions {
  /** Path of the socket, at most 107 bytes. */
  path: string;
}

/** A command to start, and how. Closing the channel ends it. */
export interface CommandTarget extends CreatePipeStreamOptions {
  /** The program and its arguments; no shell is involved. */
  command: readonly string[];
  /** Gives up with the signal's own reason, as long as we connect, and kills the command. */
  signal?: AbortSignal;
}

/** What {@linkcode connect} connects to. */
export type ConnectTarget = TcpTarget | UnixTarget | CommandTarget;

/**
 * Connects to a server and gives a channel through which messages can flow: all
 * handshakes are done.
 *
 * However it fails (refused, a wrong key, aborted, too late), it leaves neither a
 * socket nor a process behind, but for what `createSslStream` says. With `key` we
 * are the initiator.
 *
 * @param target A TCP port, with TLS or not, a Unix socket, or a command to talk
 * to over its standard input and output; with the options of `createSocketStream`,
 * `createSslStream`, `createUnixStream` or `createPipeStream`, such as `timeout`,
 * `attempts` and `signal`. The signal is for connecting: later it has no effect.
 * @param options Those of the channel. With `key` it is encrypted.
 * @throws {ConnectionLostError} if no connection could be made, or the peer hung
 * up within the handshake: a server does that to whoever has another key.
 * @throws {StreamTimeoutError} if `timeout` passed, which each attempt has for
 * connecting and TLS, or `handshakeTimeout`, which is that of `key`.
 * @throws {EncryptionError} if what answers has another key, or is no secure stream.
 * @throws {TypeError} or `RangeError` if an option is wrong, or not one of this
 * kind of target, before anything is connected.
 *
 * @example
 * ```ts
 * import { connect, serve } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = serve({ port: 0 }, async (channel) => {
 *   for await (const message of channel) await channel.send(message);
 * });
 *
 * await using channel = await connect({ port: server.addr.port });
 * await channel.send(new TextEncoder().encode("echo"));
 * assertEquals(await channel.recv(), new TextEncoder().encode("echo"));
 * ```
 */
export async function connect(
  target: ConnectTarget,
  options: ChannelSettings = {},
): Promise<Channel> {
  assertSettings(options);
  const started = performance.now();
  let info = infoOf(target);
  try {
    target.signal?.throwIfAborted();
    // Later the signal has no effect, so that it is not for the command to keep.
    const stream = await openStream(
      "command" in target ? { ...target, signal: undefined } : target,
    );
    info = stream.info;
    const channel = await openChannel(
      stream,
      "initiator",
      options,
      target.signal,
    );
    publishConnect(info, channel, started);
    publishEnd("client", info, channel.finished, channel);
    return channel;
  } catch (error) {
    publishError(error, "connect", info);
    throw error;
  }
}

/** What is known of the connection before it is made. */
function infoOf(target: ConnectTarget): StreamInfo {
  if ("path" in target) {
    return { transport: "unix", remote: { path: target.path } };
  }
  if ("command" in target) return { transport: "process" };
  const { hostname = "127.0.0.1", port, tls } = target;
  return { transport: tls ? "tls" : "tcp", remote: { hostname, port } };
}
