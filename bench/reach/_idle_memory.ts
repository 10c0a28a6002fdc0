import { TextLineStream } from "@std/streams/text-line-stream";
import { withManyFiles } from "./_rates.ts";

/** Bytes of resident memory for each of `count` idle connections, at either end. */
export async function idleMemory(
  kind: "bare" | "channel",
  count: number,
): Promise<{ listening: number; connecting: number }> {
  await using listening = new IdleProcess(kind, count);
  const port = await listening.number();
  await using connecting = new IdleProcess(kind, count, port);
  return {
    connecting: await connecting.number() / count,
    listening: await listening.number() / count,
  };
}

/** A process of `idle.ts`. */
class IdleProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;

  constructor(...args: (string | number)[]) {
    const [command, ...rest] = withManyFiles([
      Deno.execPath(),
      "run",
      "--quiet",
      "--allow-all",
      "--v8-flags=--expose-gc",
      `${import.meta.dirname}/idle.ts`,
      ...args.map(String),
    ]);
    this.#child = new Deno.Command(command!, {
      args: rest,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#lines = this.#child.stdout
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream())
      .getReader();
  }

  async number(): Promise<number> {
    const { value } = await this.#lines.read();
    if (value === undefined) throw new Error("The process ended early");
    return Number(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    await this.#lines.cancel();
    await this.#child.status;
  }
}
