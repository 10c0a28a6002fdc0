import { concat } from "jsr:@std/bytes@^1.0.6/concat";
import { Fifo } from "../streams/_fifo.ts";
import { STAGE_HIGH_WATER_MARK } from "./_record.ts";

/** Plaintexts are joined to chunks of up to this many bytes; beyond it a copy costs more than a hop. */
const MAX_JOINED = 16_384;

/**
 * What has been decrypted and not been read. Unlike the queue of a stream itself
 * it hands out what it holds before a failure.
 */
export class PlaintextQueue {
  /** Where the plaintext is read. */
  readonly readable: ReadableStream<Uint8Array>;

  readonly #bodies = new Fifo<Uint8Array>();
  #size = 0;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  /** Whether a reader waits. */
  #wanted = false;
  #end: "open" | "ended" | { readonly error: unknown } = "open";
  /** Wakes who waits for room. */
  #roomy?: () => void;

  /** @param onCancel Called when nobody wants more. */
  constructor(onCancel: (reason: unknown) => Promise<void>) {
    this.readable = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => {
        this.#wanted = true;
        this.#deliver();
      },
      cancel: (reason) => onCancel(reason),
    }, { highWaterMark: 0 });
  }

  /** Appends plaintext. */
  push(body: Uint8Array): void {
    this.#bodies.push(body);
    this.#size += body.byteLength;
    this.#deliver();
  }

  /** Settles once there is room, or more will not be wanted; nothing if that is now. */
  room(): Promise<void> | undefined {
    if (this.#size < STAGE_HIGH_WATER_MARK || this.#end !== "open") {
      return undefined;
    }
    return new Promise((resolve) => this.#roomy = resolve);
  }

  /** Closes `readable` after what is queued. */
  end(): void {
    if (this.#end !== "open") return;
    this.#end = "ended";
    this.#deliver();
    this.#roomy?.();
  }

  /** Errors `readable` after what is queued. */
  fail(error: unknown): void {
    this.#end = { error };
    this.#deliver();
    this.#roomy?.();
  }

  /** Gives the reader that waits what there is. */
  #deliver(): void {
    if (!this.#wanted) return;
    if (this.#bodies.size > 0) {
      this.#wanted = false;
      const chunk = this.#take();
      this.#size -= chunk.byteLength;
      if (this.#size < STAGE_HIGH_WATER_MARK) this.#roomy?.();
      this.#controller.enqueue(chunk);
    } else if (this.#end === "ended") {
      this.#wanted = false;
      this.#controller.close();
    } else if (this.#end !== "open") {
      this.#controller.error(this.#end.error);
    }
  }

  /** The next plaintext, short ones joined. */
  #take(): Uint8Array {
    const first = this.#bodies.shift()!;
    const joined = [first];
    let length = first.byteLength;
    for (;;) {
      const next = this.#bodies.peek();
      if (!next || length + next.byteLength > MAX_JOINED) break;
      joined.push(next);
      length += next.byteLength;
      this.#bodies.shift();
    }
    return joined.length === 1 ? first : concat(joined);
  }
}
