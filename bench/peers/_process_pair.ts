import { deadline } from "@std/async/deadline";
import { TextLineStream } from "@std/streams/text-line-stream";
import type { Entry } from "./_participants.ts";

/** What is measured: each message alone on its way, or each with its echo. */
export type Work = "one-way" | "round-trip";

/** Longer than any answer may take; a participant that hangs is given up. */
const ANSWER_TIMEOUT = 30_000;

/** The two processes of a participant and the connection between them. */
export class ProcessPair implements AsyncDisposable {
  #sink: Process;
  #source: Process;

  private constructor(sink: Process, source: Process) {
    this.#sink = sink;
    this.#source = source;
  }

  /** Starts both; `folder` holds the payloads, a certificate and a key. */
  static async start(entry: Entry, folder: string): Promise<ProcessPair> {
    const roles = entry.listens === "source"
      ? ["source", "sink"] as const
      : ["sink", "source"] as const;
    const listening = new Process([...entry.command, roles[0], folder]);
    try {
      const { port } = await listening.answer();
      const connecting = new Process(
        [...entry.command, roles[1], folder, `${port}`],
      );
      const pair = roles[0] === "sink"
        ? new ProcessPair(listening, connecting)
        : new ProcessPair(connecting, listening);
      await Promise.all([listening.answer(), connecting.answer()]);
      return pair;
    } catch (error) {
      await listening.stop();
      throw error;
    }
  }

  /** Does one job; gives its duration in seconds once both ends agree on what was sent. */
  async run(work: Work, size: number, count: number): Promise<number> {
    const job = { work, size, count };
    await this.#sink.tell(job);
    await this.#sink.answer();
    await this.#source.tell(job);
    const [tally, { seconds }] = await Promise.all([
      this.#sink.answer(),
      this.#source.answer(),
    ]);
    if (tally.count !== count || tally.bytes !== size * count) {
      throw new Error(
        `Received ${tally.count} messages of ${tally.bytes} bytes instead of ${count} of ${size}`,
      );
    }
    return seconds!;
  }

  /** How many messages take `wanted` seconds, found with ever more of them. */
  async calibrate(work: Work, size: number, wanted: number): Promise<number> {
    for (let count = 4;;) {
      const seconds = await this.run(work, size, count);
      if (seconds >= wanted / 3) {
        return Math.max(1, Math.round(count / seconds * wanted));
      }
      // Aim at half the time, in steps that a cold start cannot lead astray.
      count *= Math.ceil(Math.min(10, wanted / 2 / seconds));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#sink.stop(), this.#source.stop()]);
  }
}

/** One child that is told jobs and answers in JSON lines. */
class Process {
  #child: Deno.ChildProcess;
  #jobs: WritableStreamDefaultWriter<Uint8Array>;
  #answers: ReadableStreamDefaultReader<string>;

  constructor([command, ...args]: string[]) {
    this.#child = new Deno.Command(command!, {
      args,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#jobs = this.#child.stdin.getWriter();
    this.#answers = this.#child.stdout
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream())
      .getReader();
  }

  async tell(job: unknown): Promise<void> {
    await this.#jobs.write(
      new TextEncoder().encode(JSON.stringify(job) + "\n"),
    );
  }

  async answer(): Promise<Record<string, number>> {
    const { value } = await deadline(this.#answers.read(), ANSWER_TIMEOUT);
    if (value === undefined) throw new Error("The process ended early");
    return JSON.parse(value);
  }

  /** The end of its input asks it to end; if it does not, it is killed. */
  async stop(): Promise<void> {
    await this.#jobs.close().catch(() => {});
    await deadline(this.#child.status, 2000)
      .catch(() => this.#child.kill("SIGKILL"));
    await this.#answers.cancel();
  }
}
