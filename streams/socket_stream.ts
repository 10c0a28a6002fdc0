import { ByteStream, type StreamInfo } from "./byte_stream.ts";
import {
  type ConnectOptions,
  connectTcp,
  connectTls,
  type ConnectTlsOptions,
  connectUnix,
  type ConnectUnixOptions,
} from "./_connect.ts";
import { infoOf, tlsInfoOf } from "./_conn_info.ts";
import { ConnTransport } from "./_conn_transport.ts";
import { TlsClientTransport } from "./_tls_client_transport.ts";
import type { ByteTransport } from "./byte_transport.ts";

export type { ConnectOptions, ConnectTlsOptions, ConnectUnixOptions };

/** Options of a {@linkcode SocketStream}. */
export interface SocketStreamOptions {
  /**
   * Whether small writes leave at once (Nagle's algorithm off), on by default. TCP
   * alone: on TLS, where the platform does not let us, and on Unix sockets, which
   * do not wait, it has no effect.
   */
  noDelay?: boolean;
}

/**
 * A byte stream over a socket: TCP, TLS or Unix.
 *
 * Half close works on all three. Nagle's algorithm is off unless asked for, but
 * on TLS connections that were accepted, or made with a client certificate, where
 * the platform cannot turn it off. A new stream holds a read buffer of 256 bytes,
 * an idle one of 4 KiB or less, or of as much as came last at once, if that was
 * more and at most 64 KiB.
 *
 * Permissions: `--allow-net` for TCP and TLS, `--allow-net`, `--allow-read` and
 * `--allow-write` for Unix sockets, `--allow-read` for certificate files.
 *
 * @example
 * ```ts
 * import { SocketStream } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const accepted = listener.accept();
 * await using client = await SocketStream.connect("127.0.0.1", listener.addr.port);
 * await using server = new SocketStream(await accepted);
 *
 * await client.write(new Uint8Array([1, 2, 3]));
 * await client.closeWrite();
 * assertEquals(await server.read(3), new Uint8Array([1, 2, 3]));
 * assertEquals(await server.read(1), null);
 * ```
 */
export class SocketStream extends ByteStream {
  /**
   * Makes a stream of a connected socket, which it owns from then on. A TLS
   * connection should have done its `handshake()`, as its errors otherwise
   * surface at the first read. It may be either end of TLS: `close()` does not
   * wait as it does after {@linkcode connectTls}.
   *
   * @param conn The connection.
   * @param options Whether small writes leave at once; a TCP socket only.
   */
  constructor(conn: Deno.Conn, options?: SocketStreamOptions);
  /**
   * For classes that extend this one: makes a stream of a socket that something
   * else reaches, as a tunnel does.
   *
   * @param transport What reaches it, which the stream owns from then on.
   * @param info What the stream shall say about itself.
   */
  constructor(transport: ByteTransport, info: StreamInfo);
  constructor(
    socket: Deno.Conn | ByteTransport,
    detail: StreamInfo | SocketStreamOptions = {},
  ) {
    if ("transport" in detail) {
      super(socket as ByteTransport, detail);
      return;
    }
    const conn = socket as Deno.Conn;
    super(new ConnTransport(conn), infoOf(conn));
    setNoDelay(conn, detail.noDelay ?? true);
  }

  /**
   * Connects over TCP.
   *
   * @param host Host name or IP address.
   * @param port Port, 0 to 65535.
   * @param options Deadline, signal, attempts and socket options.
   * @throws {ConnectionLostError} if no connection could be made.
   * @throws {StreamTimeoutError} if `timeout` passed.
   * @throws {RangeError} if `port`, `attempts` or `timeout` is out of its range.
   * @throws {TypeError} if an option is none of these, or `host` is an address
   * that `ipv6` excludes.
   */
  static async connect(
    host: string,
    port: number,
    options: ConnectOptions = {},
  ): Promise<SocketStream> {
    return new SocketStream(await connectTcp(host, port, options), options);
  }

  /**
   * Connects over TLS and finishes the handshake. The certificate chain and the
   * host name are always verified. `info.alpnProtocol` tells what was agreed on.
   *
   * A server that wants a client certificate may refuse ours only after our part
   * of the handshake (TLS 1.3), which the first read then tells. The platform
   * keeps the socket of a handshake that was given up until the peer says
   * anything or ends it, and with a client certificate also that of a connect
   * before it, until the peer answers or the system gives up, after minutes.
   *
   * `close()` of a stream that has read nothing yet waits for the peer's first
   * bytes, or its end, half a second at most. The session tickets of TLS 1.3 may
   * still be on their way: coming to a closed socket they would reset the
   * connection, and what was written last would be lost.
   *
   * @param host Host name or IP address, which the certificate must carry.
   * @param port Port, 0 to 65535.
   * @param options Certificates, protocols, and those of {@linkcode connect}.
   * @throws {ConnectionLostError} if no connection could be made, the server's
   * certificate is not to be trusted, or it speaks none of `alpnProtocols`.
   * @throws {StreamTimeoutError} if `timeout` passed.
   * @throws {RangeError} if `port`, `attempts` or `timeout` is out of its range.
   * @throws {TypeError} if an option is none of these, options cannot be honoured
   * together, or `host` is an address that `ipv6` excludes.
   */
  static async connectTls(
    host: string,
    port: number,
    options: ConnectTlsOptions = {},
  ): Promise<SocketStream> {
    const conn = await connectTls(host, port, options);
    const transport = new TlsClientTransport(new ConnTransport(conn));
    return new SocketStream(transport, await tlsInfoOf(conn));
  }

  /**
   * Connects to a Unix socket.
   *
   * @param path Path of the socket, at most 107 bytes.
   * @param options Deadline and signal.
   * @throws {ConnectionLostError} if no connection could be made.
   * @throws {StreamTimeoutError} if `timeout` passed.
   * @throws {RangeError} if `timeout` is out of its range.
   * @throws {TypeError} if `path` is too long, or an option is none of these.
   */
  static async connectUnix(
    path: string,
    options: ConnectUnixOptions = {},
  ): Promise<SocketStream> {
    return new SocketStream(await connectUnix(path, options));
  }
}

/** Nagle's algorithm is on after a connect and after an accept. */
function setNoDelay(conn: Deno.Conn, noDelay: boolean): void {
  if (!("setNoDelay" in conn)) return;
  try {
    (conn as Deno.TcpConn).setNoDelay(noDelay);
  } catch {
    // It was reset meanwhile; the first read tells.
  }
}
