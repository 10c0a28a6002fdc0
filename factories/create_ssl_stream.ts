import {
  type ConnectTlsOptions,
  SocketStream,
} from "../streams/socket_stream.ts";

/** Options of {@linkcode createSslStream}. */
export type CreateSslStreamOptions = ConnectTlsOptions;

/**
 * Connects over TLS and finishes the handshake. The certificate chain and the
 * host name are always verified.
 *
 * However it fails, it leaves no socket behind, except that of a handshake that
 * was given up: the platform keeps it until the peer says anything or ends it. With
 * a client certificate it also keeps that of a connect that was given up, until the
 * peer answers or the system gives up, after minutes. A server that wants a client
 * certificate may refuse ours only after our part of the handshake (TLS 1.3), which
 * the first read then tells.
 *
 * @param host Host name or IP address, which the certificate must carry.
 * @param port Port, 0 to 65535.
 * @param options Certificates, protocols, and those of `createSocketStream`.
 * @throws {ConnectionLostError} if no connection could be made, the server's
 * certificate is not to be trusted, or it speaks none of `alpnProtocols`.
 * @throws {StreamTimeoutError} if `timeout` passed, with the handshake.
 * @throws {RangeError} if `port`, `attempts` or `timeout` is out of its range.
 * @throws {TypeError} if an option is none of these, options are combined that the
 * platform cannot honour together, or `host` is an address that `ipv6` excludes.
 *
 * @example With an authority of one's own
 * ```ts ignore
 * import { createSslStream } from "@sluice/sluice";
 *
 * await using stream = await createSslStream("internal.example.com", 7443, {
 *   caCerts: ["ca.pem"],
 *   alpnProtocols: ["sluice"],
 * });
 * ```
 *
 * @example What does not prove itself is refused, here a server that speaks no TLS
 * ```ts
 * import { ConnectionLostError, createSslStream, listen } from "@sluice/sluice";
 * import { assertRejects } from "@std/assert";
 *
 * using listener = listen({ port: 0 });
 * const refusing = assertRejects(
 *   () => createSslStream("127.0.0.1", listener.addr.port, { timeout: 3000 }),
 *   ConnectionLostError,
 * );
 * await using server = await listener.accept();
 * await server.write(new TextEncoder().encode("hello"));
 * await refusing;
 * ```
 */
export function createSslStream(
  host: string,
  port: number,
  options: CreateSslStreamOptions = {},
): Promise<SocketStream> {
  return SocketStream.connectTls(host, port, options);
}
