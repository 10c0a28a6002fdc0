import type { StreamInfo } from "./byte_stream.ts";
import type { ByteTransport } from "./byte_transport.ts";
import { SocketStream } from "./socket_stream.ts";
import type { HttpConnectProxy } from "./_tunnels/http_connect.ts";
import type { ProxyAddress } from "./_tunnels/proxy.ts";
import type { Socks5Proxy } from "./_tunnels/socks5.ts";
import type { SshTunnel } from "./_tunnels/ssh.ts";
import type {
  TunnelOptions,
  TunnelTlsOptions,
  TunnelVia,
} from "./_tunnels/open_tunnel.ts";

export type {
  HttpConnectProxy,
  ProxyAddress,
  Socks5Proxy,
  SshTunnel,
  TunnelOptions,
  TunnelTlsOptions,
  TunnelVia,
};

/**
 * A byte stream over a socket that is reached through ssh, an HTTP proxy or a
 * SOCKS5 proxy.
 *
 * - Names are resolved at the far end of the tunnel, not here.
 * - Closing the stream ends the tunnel. Half close works as far as the proxy
 *   passes it on, which not all HTTP proxies do.
 * - A target that resets the connection is seen as far as the proxy tells: ssh
 *   and most proxies show it as a clean end. TLS to the target shows it.
 * - With TLS the certificate and name of the target are verified, and the proxy
 *   sees only encrypted bytes. Some 64 KiB are read before somebody asks.
 *
 * ssh is the `ssh` command (OpenSSH 8.5 or later): keys, agent, known hosts and
 * configuration are its own, and it asks nothing (`BatchMode`). `close()` ends
 * its input and waits for the target to end too, at most 5 s, before it ends the
 * process.
 *
 * Permissions: `--allow-net` for the proxies, `--allow-run=ssh` for ssh.
 */
export class TunneledSocketStream extends SocketStream {
  /**
   * Makes a stream of an open tunnel; {@linkcode connect} opens one.
   *
   * @param transport The end of the tunnel, which the stream owns from then on.
   * @param info What the stream shall say about itself.
   */
  constructor(transport: ByteTransport, info: StreamInfo) {
    super(transport, info);
  }

  /**
   * Connects through a tunnel, with TLS inside it if asked for. With TLS, `close()`
   * waits as it does after {@linkcode SocketStream.connectTls}.
   *
   * @param host Host name or IP address of the target, as the far end of the
   * tunnel knows it.
   * @param port Port of the target, 1 to 65535.
   * @param options The tunnel, and TLS, deadline, signal.
   * @throws {ConnectionLostError} if the proxy, or ssh, cannot be reached or
   * refuses, or the target does; the message has its reason.
   * @throws {FramingError} if the proxy's answer is not of its protocol.
   * @throws {BufferOverflowError} if the header of an HTTP proxy's answer has
   * more than 16 KiB.
   * @throws {StreamTimeoutError} if `timeout` passed.
   * @throws {TypeError} or `RangeError` if an option is wrong, or cannot be
   * honoured through this tunnel.
   */
  static override async connect(
    host: string,
    port: number,
    options: TunnelOptions,
  ): Promise<TunneledSocketStream> {
    // Loaded here: most programs need no tunnel.
    const { openTunnel } = await import("./_tunnels/open_tunnel.ts");
    const { transport, info } = await openTunnel({ host, port }, options);
    return new TunneledSocketStream(transport, info);
  }

  /**
   * Rejects: this one would lead past the tunnel. TLS with the target is the
   * option `tls` of {@linkcode connect}.
   *
   * @throws {TypeError} always.
   */
  static override connectTls(): Promise<never> {
    return Promise.reject(
      new TypeError(
        "Cannot connect past a tunnel: use connect() with the option tls",
      ),
    );
  }

  /**
   * Rejects: no tunnel leads to a Unix socket.
   *
   * @throws {TypeError} always.
   */
  static override connectUnix(): Promise<never> {
    return Promise.reject(
      new TypeError("Cannot connect to a Unix socket through a tunnel"),
    );
  }
}
