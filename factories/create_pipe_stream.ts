import { PipeStream, type SpawnOptions } from "../streams/pipe_stream.ts";

/** Options of {@linkcode createPipeStream}. */
export type CreatePipeStreamOptions = SpawnOptions;

/**
 * Starts a command and connects to its standard input and output. It needs
 * `--allow-run`.
 *
 * Closing the stream ends the command: the end of its input, a wait, SIGTERM, a
 * wait, SIGKILL. The other side of it, in Deno, is `PipeStream.fromStdio()`.
 *
 * @param command The program and its arguments; no shell is involved.
 * @param options Directory, environment, standard error, signal, deadline.
 * @throws {ConnectionLostError} if it cannot be started.
 * @throws {RangeError} if `killTimeout` is out of its range.
 * @throws {TypeError} if an option is none of these.
 *
 * @example
 * ```ts
 * import { createPipeStream } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * await using child = await createPipeStream([Deno.execPath(), "eval", `
 *   await Deno.stdin.readable.pipeTo(Deno.stdout.writable);
 * `]);
 * await child.write(new TextEncoder().encode("echo"));
 * assertEquals(await child.read(4), new TextEncoder().encode("echo"));
 * ```
 */
export function createPipeStream(
  command: readonly string[],
  options: CreatePipeStreamOptions = {},
): Promise<PipeStream> {
  return PipeStream.spawn(command, options);
}
