import {
  type ConnectUnixOptions,
  SocketStream,
} from "../streams/socket_stream.ts";

/** Options of {@linkcode createUnixStream}. */
export type CreateUnixStreamOptions = ConnectUnixOptions;

/**
 * Connects to a Unix socket. It needs `--allow-read`, `--allow-write` and
 * `--allow-net`.
 *
 * However it fails, it leaves no socket behind.
 *
 * @param path Path of the socket, at most 107 bytes.
 * @param options Deadline and signal.
 * @throws {ConnectionLostError} if no connection could be made.
 * @throws {StreamTimeoutError} if `timeout` passed.
 * @throws {RangeError} if `timeout` is out of its range.
 * @throws {TypeError} if `path` is too long, or an option is none of these.
 *
 * @example
 * ```ts
 * import { createUnixStream, listen } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * if (Deno.build.os !== "windows") { // Where the platform has no Unix sockets.
 *   const folder = await Deno.makeTempDir(); // Of mode 700: only we may connect.
 *   {
 *     using listener = listen({ path: `${folder}/socket` });
 *     await using client = await createUnixStream(`${folder}/socket`);
 *     await using server = await listener.accept();
 *     await client.write(new Uint8Array([1, 2, 3]));
 *     assertEquals(await server.read(3), new Uint8Array([1, 2, 3]));
 *   }
 *   await Deno.remove(folder);
 * }
 * ```
 */
export function createUnixStream(
  path: string,
  options: CreateUnixStreamOptions = {},
): Promise<SocketStream> {
  return SocketStream.connectUnix(path, options);
}
