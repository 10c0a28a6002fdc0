import { assertInteger } from "./_assert.ts";
import { ChildProcess, type SpawnOptions } from "./_child_process.ts";
import { memoryTransports } from "./_memory_pipe.ts";
import { onAbort } from "./_on_abort.ts";
import { transportOver } from "./_pair_transport.ts";
import { stdioTransport } from "./_stdio.ts";
import { ByteStream, type StreamInfo } from "./byte_stream.ts";
import type { ByteTransport } from "./byte_transport.ts";

export type { SpawnOptions };

/** Options of {@linkcode PipeStream.createPair}. */
export interface PairOptions {
  /**
   * How many bytes each direction holds before a write waits, 65,536 by
   * default.
   */
  bufferSize?: number;
}

/**
 * A byte stream over pipes: in memory, to a child process, to the parent
 * process, or over any two web streams.
 *
 * @example A pair in memory
 * ```ts
 * import { PipeStream } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * const [near, far] = PipeStream.createPair();
 * await near.write(new TextEncoder().encode("ping"));
 * assertEquals(await far.read(4), new TextEncoder().encode("ping"));
 * await near.close();
 * assertEquals(await far.read(1), null);
 * await far.close();
 * ```
 *
 * @example A child process
 * ```ts
 * import { PipeStream } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * await using child = await PipeStream.spawn([Deno.execPath(), "eval", `
 *   await Deno.stdin.readable.pipeTo(Deno.stdout.writable);
 * `]);
 * await child.write(new TextEncoder().encode("echo"));
 * await child.closeWrite();
 * assertEquals(await child.read(4), new TextEncoder().encode("echo"));
 * assertEquals(await child.read(1), null);
 * assertEquals((await child.status)?.code, 0);
 * ```
 */
export class PipeStream extends ByteStream {
  readonly #child: ChildProcess | undefined;

  /**
   * Makes a stream of two web streams, which it locks and owns from then on.
   *
   * What is written is copied first, as nobody knows when `output` is done with
   * it.
   *
   * @param input The bytes that the peer sends.
   * @param output Takes the bytes for the peer.
   * @throws {TypeError} if either is locked.
   */
  constructor(
    input: ReadableStream<Uint8Array>,
    output: WritableStream<Uint8Array>,
  );
  constructor(
    input: ReadableStream<Uint8Array> | ByteTransport,
    output: WritableStream<Uint8Array> | StreamInfo,
  ) {
    super(transportOf(input, output), infoOf(output));
    if (input instanceof ChildProcess) this.#child = input;
  }

  /**
   * Makes two streams that are connected in memory. Each direction buffers up
   * to `bufferSize` bytes; what is written is copied, so that its memory may be
   * reused.
   *
   * A peer that closes is a clean end after what it had written; one that aborts,
   * or closes while a write of it waits, is a `ConnectionLostError`.
   *
   * @param options The size of the buffers.
   * @throws {RangeError} if `bufferSize` is no integer from 1.
   */
  static createPair(options: PairOptions = {}): [PipeStream, PipeStream] {
    const { bufferSize = 65_536 } = options;
    assertInteger("bufferSize", bufferSize, 1);
    const [a, b] = memoryTransports(bufferSize);
    const info = { transport: "memory" };
    return [new OwnPipeStream(a, info), new OwnPipeStream(b, info)];
  }

  /**
   * Starts a command and connects to its standard input and output.
   *
   * - The end of its output is a clean end if it exits with code 0, or lives on;
   *   any other exit is a `ConnectionLostError` that names the status.
   * - A grandchild that holds the pipes does not: once the command has exited
   *   and its output was silent for 200 ms, it is over.
   * - `close()` ends its input and reads what it still writes, waits for it to
   *   exit, sends SIGTERM, waits again, and sends SIGKILL. Each wait takes at
   *   most `killTimeout`. `abort()` sends SIGKILL at once, within these waits too.
   *
   * Permission: `--allow-run`.
   *
   * @param command The program and its arguments; no shell is involved.
   * @param options Directory, environment, standard error, signal, deadline.
   * @throws {ConnectionLostError} if it cannot be started.
   * @throws {RangeError} if `killTimeout` is out of its range.
   * @throws {TypeError} if an option is none of these.
   */
  // deno-lint-ignore require-await
  static async spawn(
    command: readonly string[],
    { signal, ...options }: SpawnOptions = {},
  ): Promise<PipeStream> {
    signal?.throwIfAborted();
    const stream = new OwnPipeStream(
      new ChildProcess(command, options),
      { transport: "process" },
    );
    if (signal) {
      const watch = onAbort(signal, () => stream.abort(signal.reason));
      stream.finished.then(() => watch[Symbol.dispose]());
    }
    return stream;
  }

  /**
   * Makes a stream of our own standard input and output: the child's side of
   * {@linkcode spawn}. A process can do so once.
   *
   * Until the stream is closed, `console.log` and its kind write to standard
   * error, to keep standard output clean for the protocol; what writes to
   * `Deno.stdout` itself still gets in between. The platform keeps standard
   * output open, so that the parent sees the end of our direction when the
   * process exits.
   *
   * @throws {TypeError} if it was done before.
   */
  static fromStdio(): PipeStream {
    return new OwnPipeStream(stdioTransport(), { transport: "stdio" });
  }

  /** The process id of the child; `undefined` where there is none. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** How the child ended; `undefined` where there is none. It never rejects. */
  get status(): Promise<Deno.CommandStatus> | undefined {
    return this.#child?.status;
  }

  /** The last 8 KiB of the child's standard error where `stderr` is `"piped"`; else `undefined`. */
  get stderr(): string | undefined {
    return this.#child?.stderr;
  }
}

/** The constructor as it is: the public one takes web streams only. */
const OwnPipeStream = PipeStream as unknown as new (
  transport: ByteTransport,
  info: StreamInfo,
) => PipeStream;

function transportOf(
  input: ReadableStream<Uint8Array> | ByteTransport,
  output: WritableStream<Uint8Array> | StreamInfo,
): ByteTransport {
  if ("transport" in output) return input as ByteTransport;
  const readable = input as ReadableStream<Uint8Array>;
  return transportOver({ readable, writable: output });
}

function infoOf(output: WritableStream<Uint8Array> | StreamInfo): StreamInfo {
  return "transport" in output ? output : { transport: "pipe" };
}
