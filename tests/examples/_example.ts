/**
 * Runs an example as its user would: a process with lines in and lines out.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path/from-file-url";
import { TextLineStream } from "@std/streams/text-line-stream";
import { toText } from "@std/streams/to-text";

/** A running example. */
export class Example implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  /** All of its standard error, once it has ended. */
  readonly stderr: Promise<string>;

  /**
   * Starts `examples/<name>.ts`.
   *
   * @param name The file's name.
   * @param args Its arguments.
   */
  constructor(name: string, ...args: string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--allow-all",
        "--quiet",
        fromFileUrl(import.meta.resolve(`../../examples/${name}.ts`)),
        ...args,
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream())
      .getReader();
    this.stderr = toText(this.#child.stderr);
  }

  /** Its next line of output; fails if there is none. */
  async line(): Promise<string> {
    const { value, done } = await this.#output.read();
    if (!done) return value;
    throw new Error(`The example has ended: ${await this.stderr}`);
  }

  /** Types a line. */
  async type(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Ends its input. */
  async endInput(): Promise<void> {
    await this.#input.close();
  }

  /** Stops a server as Ctrl-C does, which it takes as a request to end well. */
  async stop(): Promise<void> {
    if (Deno.build.os === "windows") return; // It has no signals for others.
    this.#child.kill("SIGINT");
    await this.end();
  }

  /** Waits for its end, which must be one with `code`, and gives the lines that are left. */
  async end(code = 0): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const { value, done } = await this.#output.read();
      if (done) break;
      lines.push(value);
    }
    const status = await this.#child.status;
    assertEquals(status.code, code, `${lines.join("\n")}${await this.stderr}`);
    return lines;
  }

  /** Ends it, if it has not ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.abort().catch(() => {});
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#output.cancel();
    await this.#child.status;
    await this.stderr;
  }
}

/** Runs an example that needs no input, to its end, which must be one with code 0. */
export async function run(name: string, ...args: string[]): Promise<string[]> {
  await using example = new Example(name, ...args);
  await example.endInput();
  return await example.end();
}

/** A folder that disposal removes. */
export async function temporaryFolder(): Promise<
  AsyncDisposable & { readonly path: string }
> {
  const path = await Deno.makeTempDir({ prefix: "sluice_example_" });
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}
