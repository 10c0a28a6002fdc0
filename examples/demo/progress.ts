import { format } from "@std/fmt/bytes";

/** How often a terminal's line is drawn anew, in milliseconds. */
const REDRAW = 100;
/** How often a log gets a line, in milliseconds: enough to see that it goes on. */
const LOG = 1000;
const WIDTH = 24;

/**
 * Shows how far a transfer has come: a line that changes on a terminal, lines
 * one after the other elsewhere. It is drawn between messages, with no timer.
 */
export class Progress implements Disposable {
  readonly #label: string;
  readonly #size: number;
  readonly #live: boolean;
  readonly #started = performance.now();
  #drawn = this.#started;
  #done = 0;

  /**
   * @param label What is being done.
   * @param size How many bytes that is.
   * @param live Whether standard output is a terminal.
   */
  constructor(
    label: string,
    size: number,
    live: boolean = Deno.stdout.isTerminal(),
  ) {
    this.#label = label;
    this.#size = size;
    this.#live = live;
    if (live) this.#draw();
  }

  /** That many more bytes are done. */
  add(bytes: number): void {
    this.#done += bytes;
    const now = performance.now();
    if (now - this.#drawn < (this.#live ? REDRAW : LOG)) return;
    this.#drawn = now;
    this.#draw();
  }

  /** Says how it ended, where lines stay. */
  finish(text: string): void {
    if (!this.#live) console.log(`${this.#label}: ${text}`);
  }

  /** Clears the line that changes. */
  [Symbol.dispose](): void {
    if (this.#live) write(CLEAR_LINE);
  }

  #draw(): void {
    const share = this.#size === 0 ? 1 : this.#done / this.#size;
    const seconds = (performance.now() - this.#started) / 1000;
    const rate = `${format(this.#done / (seconds || 1))}/s`;
    const percent = `${Math.floor(share * 100)} %`;
    if (!this.#live) {
      console.log(`${this.#label}: ${percent}, ${rate}`);
      return;
    }
    const full = Math.round(share * WIDTH);
    const bar = "█".repeat(full) + "░".repeat(WIDTH - full);
    write(
      `${CLEAR_LINE}${this.#label.padEnd(32)} ${bar} ${
        percent.padStart(5)
      }  ${rate}`,
    );
  }
}

const CLEAR_LINE = "\r\x1b[K";

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
