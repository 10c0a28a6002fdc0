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
 * @throws {TypeError} if `path` is too long.
 */
export function createUnixStream(
  path: string,
  options: CreateUnixStreamOptions = {},
): Promise<SocketStream> {
  return SocketStream.connectUnix(path, options);
}
