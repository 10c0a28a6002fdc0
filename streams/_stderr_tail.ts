import { concat } from "jsr:@std/bytes@^1.0.6/concat";
import { builtin } from "./_builtin.ts";
import { PipeReader } from "./_pipe_reader.ts";

/** How much of a child's standard error is kept, in bytes. */
const TAIL_SIZE = 8192;

/** How Deno, Node and others begin the line that names an error. */
const ERROR = /^(Uncaught )?\w*error\b.*:/i;
/** What may come below that line: the source, the stack, and properties of the error. */
const DETAIL = /^(\s|}|$)/;
const MARK = /^\s*\^+\s*$/;
/** What Node says last. */
const NODE_VERSION = /\nNode\.js v\S+\s*$/;

/**
 * Reads the standard error of a child to its end, so that a full pipe never
 * blocks the child, and keeps the last 8 KiB.
 */
export class StderrTail {
  /** Settles at the end of the pipe; it never rejects. */
  readonly ended: Promise<void>;
  readonly #reader: PipeReader;
  #tail: Uint8Array = new Uint8Array(0);
  #cut = false;
  #grown = Promise.withResolvers<void>();

  constructor(stderr: ReadableStream<Uint8Array>) {
    this.#reader = new PipeReader(stderr);
    this.ended = this.#readAll().catch(() => {}); // What has come so far is all there is.
  }

  /** The text that is kept. */
  get text(): string {
    let start = 0;
    // The cut may have gone through a character: skip its remaining bytes.
    while (this.#cut && (this.#tail[start] ?? 0) >> 6 === 0b10) start++;
    return new TextDecoder().decode(this.#tail.subarray(start));
  }

  /**
   * The last line that is not empty, without colours; `""` if there is none. Where that
   * is of a stack, which is indented, it is the line that names the error.
   */
  get lastLine(): string {
    const { stripVTControlCharacters } = builtin("node:util");
    const text = stripVTControlCharacters(this.text);
    const lines = text.replace(NODE_VERSION, "").trimEnd().split("\n");
    const last = lines.at(-1)!;
    const told = lines.findLast((line, i) =>
      // A line of the source has a mark below it.
      !DETAIL.test(line) && !MARK.test(lines[i + 1] ?? "")
    );
    return (told !== undefined && ERROR.test(told) ? told : last).trim();
  }

  /** Waits until the text holds one of `texts`; `false` if the pipe ends before. */
  async says(texts: readonly string[]): Promise<boolean> {
    const over = this.ended.then(() => true);
    for (let ended = false;;) {
      if (texts.some((text) => this.text.includes(text))) return true;
      if (ended) return false;
      ended = await Promise.race([over, this.#grown.promise]) ?? false;
    }
  }

  /** Closes the pipe. */
  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }

  async #readAll(): Promise<void> {
    let chunk: Uint8Array | null;
    while ((chunk = await this.#reader.read()) !== null) {
      const all = concat([this.#tail, chunk]);
      this.#cut ||= all.byteLength > TAIL_SIZE;
      this.#tail = all.slice(-TAIL_SIZE);
      this.#grown.resolve();
      this.#grown = Promise.withResolvers();
    }
  }
}
