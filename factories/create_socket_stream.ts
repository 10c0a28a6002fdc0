import { type ConnectOptions, SocketStream } from "../streams/socket_stream.ts";

/** Options of {@linkcode createSocketStream}. */
export type CreateSocketStreamOptions = ConnectOptions;

/**
 * Connects over TCP.
 *
 * However it fails (refused, aborted, too late), it leaves no socket behind.
 *
 * @param host Host name or IP address.
 * @param port Port, 0 to 65535.
 * @param options Deadline, signal, attempts and socket options.
 * @throws {ConnectionLostError} if no connection could be made.
 * @throws {StreamTimeoutError} if `timeout` passed.
 * @throws {RangeError} if `port`, `attempts` or `timeout` is out of its range.
 * @throws {TypeError} if an option is none of these, or `host` is an address that
 * `ipv6` excludes.
 *
 * @example
 * ```ts
 * import { createSocketStream, listen } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * using listener = listen({ port: 0 });
 * await using client = await createSocketStream("127.0.0.1", listener.addr.port);
 * await using server = await listener.accept();
 * await client.write(new Uint8Array([1, 2, 3]));
 * assertEquals(await server.read(3), new Uint8Array([1, 2, 3]));
 * ```
 */
export function createSocketStream(
  host: string,
  port: number,
  options: CreateSocketStreamOptions = {},
): Promise<SocketStream> {
  return SocketStream.connect(host, port, options);
}
