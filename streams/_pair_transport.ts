import { deadline } from "jsr:@std/async@^1.5.0/deadline";
import { Interruptible } from "./_interruptible.ts";
import { ByteStream } from "./byte_stream.ts";
import type { ByteStreamPair } from "./byte_stream_pair.ts";
import type { ByteTransport } from "./byte_transport.ts";

/** How long `close()` waits for a pair of somebody else to take the end, in ms. */
const END_TIMEOUT = 1000;

/** A pair that may be let go of as a whole, as ours and most of the platform's. */
export type ClosablePair = ByteStreamPair & {
  close?(): unknown;
  abort?(reason: unknown): void;
};

/**
 * A transport over two web streams. Only a `ByteStream` promises to be done
 * with a chunk when its write has settled; any other pair gets a copy.
 */
export class PairTransport implements ByteTransport {
  readonly #pair: ClosablePair;
  readonly #isOurs: boolean;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading = new Interruptible();
  readonly #writing = new Interruptible();
  #ending: Promise<void> | undefined;

  constructor(pair: ClosablePair) {
    if (pair.readable.locked || pair.writable.locked) {
      throw new TypeError("Cannot take the stream as a side of it is locked");
    }
    this.#pair = pair;
    this.#isOurs = pair instanceof ByteStream;
    this.#reader = pair.readable.getReader();
    this.#writer = pair.writable.getWriter();
    // The read or write that failed tells.
    this.#reader.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
    this.#writer.ready.catch(() => {});
  }

  async read(): Promise<Uint8Array | null> {
    const reading = this.#reader.read();
    const { done, value } =
      await (this.#isOurs ? reading : this.#reading.run(reading));
    if (done) return null;
    if (value instanceof Uint8Array) return value;
    throw new TypeError("chunks of the stream must be Uint8Arrays");
  }

  write(data: Uint8Array): Promise<void> {
    return this.#isOurs
      ? this.#writer.write(data)
      : this.#writing.run(this.#writer.write(data.slice()));
  }

  closeWrite(): Promise<void> {
    return this.#ending ??= this.#isOurs
      ? this.#writer.close()
      : this.#writing.run(this.#writer.close());
  }

  async close(): Promise<void> {
    if (this.#isOurs) {
      await this.#pair.close?.();
      return;
    }
    const closed = new Error("stream was closed");
    this.#reading.interrupt(closed);
    try {
      await deadline(this.closeWrite(), END_TIMEOUT);
    } finally {
      this.#letGo(closed);
      await this.#pair.close?.();
    }
  }

  abort(reason: unknown): void {
    this.#letGo(reason);
    if (this.#pair.abort) this.#pair.abort(reason);
    else if (this.#pair.close) {
      Promise.resolve(this.#pair.close()).catch(() => {});
    }
  }

  #letGo(reason: unknown): void {
    this.#reading.interrupt(reason);
    this.#writing.interrupt(reason);
    this.#reader.cancel(reason).catch(() => {});
    this.#writer.abort(reason).catch(() => {});
  }
}
