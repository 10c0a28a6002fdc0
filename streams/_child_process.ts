import { deadline } from "jsr:@std/async@^1.5.0/deadline";
import { ConnectionLostError } from "../errors.ts";
import { assertTime } from "./_assert.ts";
import { toConnectError } from "./_establish.ts";
import { PipeReader } from "./_pipe_reader.ts";
import { refuseOptions } from "./_refuse_options.ts";
import { StderrTail } from "./_stderr_tail.ts";
import type { ByteTransport } from "./byte_transport.ts";

/** The default of {@linkcode SpawnOptions.killTimeout}, in milliseconds. */
export const DEFAULT_KILL_TIMEOUT = 5000;

/**
 * How long the end of a child's output waits for its exit status, in
 * milliseconds. A killed child is told from a clean end only by that, and it
 * follows within a few; a child that closed its output and lives is a clean end.
 */
const STATUS_GRACE = 500;

/**
 * How long a pipe of a child may be silent once the child has exited, in
 * milliseconds. A grandchild that inherited it could keep it open for ever.
 */
const PIPE_GRACE = 200;

/** Options of {@linkcode PipeStream.spawn}. */
export interface SpawnOptions {
  /** The working directory of the child; ours by default. */
  cwd?: string;
  /** Variables for the child's environment, on top of ours. */
  env?: Record<string, string>;
  /**
   * Where its standard error goes: `"inherit"` to ours, the default; `"null"`
   * nowhere; `"piped"` to us, where the last 8 KiB are kept for `stderr` and
   * its last line for the error if the child fails.
   */
  stderr?: "inherit" | "null" | "piped";
  /**
   * Kills the child and aborts the stream with the signal's reason, whenever it
   * comes: also while `close()` waits.
   */
  signal?: AbortSignal;
  /**
   * How long `close()` waits for the child to exit after the end of its input,
   * and again after SIGTERM, before SIGKILL; in milliseconds, 5,000 by default;
   * 0 is not at all.
   */
  killTimeout?: number;
}

/** A child process whose standard input and output are a transport. */
export class ChildProcess implements ByteTransport {
  /** The process id. */
  readonly pid: number;
  /** How it ended. */
  readonly status: Promise<Deno.CommandStatus>;

  readonly #child: Deno.ChildProcess;
  readonly #killTimeout: number;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stdout: PipeReader;
  readonly #stderr: StderrTail | undefined;
  #exited = false;
  #reading: Promise<Uint8Array | null> | undefined;
  #writing = false;
  #readTimer: ReturnType<typeof setTimeout> | undefined;
  #writeTimer: ReturnType<typeof setTimeout> | undefined;
  #ending: Promise<void> | undefined;

  constructor(
    command: readonly string[],
    { cwd, env, stderr = "inherit", killTimeout, ...rest }: Omit<
      SpawnOptions,
      "signal"
    >,
  ) {
    refuseOptions("connect to a command", rest);
    this.#killTimeout = killTimeout ?? DEFAULT_KILL_TIMEOUT;
    assertTime("killTimeout", this.#killTimeout);
    const [program, ...args] = command;
    if (typeof command === "string" || !program) {
      throw new TypeError(
        "Cannot spawn a process as command must be an array that begins with a program",
      );
    }
    try {
      this.#child = new Deno.Command(program, {
        args,
        stdin: "piped",
        stdout: "piped",
        stderr,
        ...(cwd !== undefined && { cwd }),
        ...(env !== undefined && { env }),
      }).spawn();
    } catch (error) {
      throw toConnectError(error, `spawn ${program}`);
    }
    this.pid = this.#child.pid;
    this.#stdin = this.#child.stdin.getWriter();
    this.#stdin.closed.catch(() => {}); // The write that failed tells.
    this.#stdin.ready.catch(() => {});
    this.#stdout = new PipeReader(this.#child.stdout);
    if (stderr === "piped") this.#stderr = new StderrTail(this.#child.stderr);
    this.status = this.#child.status;
    this.status.then(() => {
      this.#exited = true;
      if (this.#reading) this.#limitRead();
      if (this.#writing) this.#limitWrite();
    });
  }

  /** The last 8 KiB of its standard error, where that is piped. */
  get stderr(): string | undefined {
    return this.#stderr?.text;
  }

  /** Waits until its standard error, which is piped, says one of `texts`; `false` if it exits before. */
  async says(texts: readonly string[]): Promise<boolean> {
    const tail = this.#stderr!;
    const exited = this.status.then(() => within(tail.ended, PIPE_GRACE));
    return await Promise.race([tail.says(texts), exited.then(() => false)]);
  }

  async read(): Promise<Uint8Array | null> {
    const chunk = await this.#readOutput();
    if (chunk !== null) return chunk;
    const status = await this.#statusWithin(STATUS_GRACE);
    if (status === undefined || status.success) return null;
    throw await this.#lost("read", status);
  }

  async write(data: Uint8Array): Promise<void> {
    this.#writing = true;
    if (this.#exited) this.#limitWrite();
    try {
      await this.#stdin.write(data);
    } catch (error) {
      throw await this.#lost(
        "write",
        await this.#statusWithin(STATUS_GRACE),
        error,
      );
    } finally {
      this.#writing = false;
      clearTimeout(this.#writeTimer);
    }
  }

  closeWrite(): Promise<void> {
    return this.#ending ??= this.#stdin.close().catch((error) => {
      // A child that has exited needs no end; its status tells the rest.
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    });
  }

  async close(): Promise<void> {
    this.closeWrite().catch(() => {}); // Behind a stuck write it cannot go out.
    const drained = this.#drain();
    try {
      if (await this.#statusWithin(this.#killTimeout)) return;
      this.#kill("SIGTERM");
      if (await this.#statusWithin(this.#killTimeout)) return;
      this.#kill("SIGKILL");
      await this.#statusWithin(this.#killTimeout);
    } finally {
      await within(drained, PIPE_GRACE);
      await this.#letGo();
    }
  }

  /** Settles once the child is gone. */
  async abort(): Promise<void> {
    this.#kill("SIGKILL");
    await Promise.all([
      this.#letGo(),
      this.#statusWithin(this.#killTimeout),
    ]);
  }

  async #readOutput(): Promise<Uint8Array | null> {
    this.#reading = this.#stdout.read();
    if (this.#exited) this.#limitRead();
    try {
      return await this.#reading;
    } finally {
      this.#reading = undefined;
      clearTimeout(this.#readTimer);
    }
  }

  /** Reads what the child still has to say, as a full pipe would keep it from exiting. */
  async #drain(): Promise<void> {
    try {
      await this.#reading;
      while (await this.#stdout.read() !== null);
    } catch {
      // The pipe is gone, and nobody wants what was in it.
    }
  }

  /** The child has exited: whoever else holds its output must not keep us waiting. */
  #limitRead(): void {
    this.#readTimer = setTimeout(() => this.#stdout.cancel(), PIPE_GRACE);
  }

  #limitWrite(): void {
    this.#writeTimer = setTimeout(
      () => this.#stdin.abort().catch(() => {}),
      PIPE_GRACE,
    );
  }

  async #letGo(): Promise<void> {
    this.#stdin.abort().catch(() => {});
    if (this.#stderr) await within(this.#stderr.ended, PIPE_GRACE);
    await Promise.all([this.#stdout.cancel(), this.#stderr?.cancel()]);
  }

  #kill(signal: "SIGTERM" | "SIGKILL"): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      // It has exited already, or belongs to another user by now.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  #statusWithin(timeout: number): Promise<Deno.CommandStatus | undefined> {
    return within(this.status, timeout);
  }

  async #lost(
    action: string,
    status: Deno.CommandStatus | undefined,
    cause?: unknown,
  ): Promise<ConnectionLostError> {
    if (this.#stderr) await within(this.#stderr.ended, PIPE_GRACE);
    const lastLine = this.#stderr?.lastLine ?? "";
    return new ConnectionLostError(
      `Cannot ${action} as the child process ${fate(status)}` +
        (lastLine === "" ? "" : `: ${lastLine}`),
      { cause },
    );
  }
}

function fate(status: Deno.CommandStatus | undefined): string {
  if (status === undefined) return "no longer reads its input";
  if (status.signal !== null) return `was ended by ${status.signal}`;
  return `exited with code ${status.code}`;
}

/** What `promise` resolves with, or `undefined` if that takes longer. */
async function within<T>(
  promise: Promise<T>,
  timeout: number,
): Promise<T | undefined> {
  try {
    return await deadline(promise, timeout);
  } catch {
    return undefined;
  }
}
