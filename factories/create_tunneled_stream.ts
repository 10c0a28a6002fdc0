import {
  TunneledSocketStream,
  type TunnelOptions,
} from "../streams/tunneled_socket_stream.ts";

/** Options of {@linkcode createTunneledStream}. */
export type CreateTunneledStreamOptions = TunnelOptions;

/**
 * Connects through ssh, an HTTP proxy or a SOCKS5 proxy, with TLS inside the
 * tunnel if asked for.
 *
 * However it fails (refused, aborted, too late), it leaves neither a socket nor
 * a process behind. See {@linkcode TunneledSocketStream} for what a tunnel does.
 *
 * @param host Host name or IP address of the target, as the far end of the
 * tunnel knows it.
 * @param port Port of the target, 1 to 65535.
 * @param options The tunnel, and TLS, deadline, signal.
 * @throws {ConnectionLostError} if the proxy, or ssh, cannot be reached or
 * refuses, or the target does; the message has its reason.
 * @throws {FramingError} if the proxy's answer is not of its protocol.
 * @throws {BufferOverflowError} if the header of an HTTP proxy's answer has more
 * than 16 KiB.
 * @throws {StreamTimeoutError} if `timeout` passed.
 * @throws {TypeError} or `RangeError` if an option is wrong, or cannot be
 * honoured through this tunnel.
 *
 * @example Through a machine that ssh knows
 * ```ts ignore
 * import { Channel, createTunneledStream } from "@sluice/sluice";
 *
 * const stream = await createTunneledStream("db.internal", 7000, {
 *   via: { ssh: { host: "bastion.example.com", user: "deploy" } },
 * });
 * await using channel = new Channel(stream);
 * ```
 *
 * @example Through a SOCKS5 proxy, here one that does nothing but answer
 * ```ts
 * import { createTunneledStream, listen } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * using proxy = listen({ port: 0 });
 * const answering = (async () => {
 *   await using client = await proxy.accept();
 *   await client.read(3); // Version 5, no authentication
 *   await client.write(new Uint8Array([5, 0]));
 *   await client.read(10); // CONNECT 192.0.2.1:7000
 *   await client.write(new Uint8Array([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
 *   await client.write(new TextEncoder().encode("hello"));
 * })();
 *
 * await using stream = await createTunneledStream("192.0.2.1", 7000, {
 *   via: { socks5: { host: "127.0.0.1", port: proxy.addr.port } },
 * });
 * assertEquals(await stream.read(5), new TextEncoder().encode("hello"));
 * await answering;
 * ```
 */
export function createTunneledStream(
  host: string,
  port: number,
  options: CreateTunneledStreamOptions,
): Promise<TunneledSocketStream> {
  return TunneledSocketStream.connect(host, port, options);
}
