import { deadline } from "jsr:@std/async@^1.5.0/deadline";
import { assertUnlocked } from "./_assert_unlocked.ts";
import { Interruptible } from "./_interruptible.ts";
import { asLost, isTimeout } from "./_stream_error.ts";
import { StreamTransport } from "./_stream_transport.ts";
import { ByteStream, type StreamInfo } from "./byte_stream.ts";
import type { ByteStreamPair } from "./byte_stream_pair.ts";
import type { ByteTransport } from "./byte_transport.ts";

/** How long a pair of somebody else may take for the end, and for its own close or abort, in ms. */
const END_TIMEOUT = 1000;

/** A pair that may be let go of as a whole, as most of the platform's. */
export type ClosablePair = ByteStreamPair & {
  close?(): unknown;
  abort?(reason: unknown): unknown;
};

/**
 * The operations on any pair, both of whose sides are locked from then on.
 *
 * @throws {TypeError} if a side is locked already.
 */
export function transportOver(pair: ByteStreamPair): ByteTransport {
  assertUnlocked(pair, "wrap the stream");
  return pair instanceof ByteStream
    ? new StreamTransport(pair)
    : new PairTransport(pair);
}

/** What a wrapper around `pair` says about itself: the same as the pair. */
export function infoOf(
  { info }: ByteStreamPair & { info?: StreamInfo },
): StreamInfo {
  return info ?? { transport: "pipe" };
}

/**
 * A transport over two web streams of somebody else. Nobody knows when they are
 * done with a chunk, so that each gets a copy.
 */
class PairTransport implements ByteTransport {
  readonly #pair: ClosablePair;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading = new Interruptible();
  readonly #writing = new Interruptible();
  readonly #closing = new Interruptible();
  #ending: Promise<void> | undefined;

  constructor(pair: ClosablePair) {
    this.#pair = pair;
    this.#reader = pair.readable.getReader();
    this.#writer = pair.writable.getWriter();
    // The read or write that failed tells.
    this.#reader.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
    this.#writer.ready.catch(() => {});
  }

  async read(): Promise<Uint8Array | null> {
    const { done, value } = await this.#reading.run(this.#reader.read())
      .catch((error) => fail("read", error));
    if (done) return null;
    if (value instanceof Uint8Array) return value;
    throw new TypeError("a chunk of the stream is no Uint8Array");
  }

  async write(data: Uint8Array): Promise<void> {
    if (data.byteLength === 0) return; // Some pairs wait until it is read.
    // A copy of its own, which the slice() of Node's Buffer would not be.
    await this.#writing.run(this.#writer.write(new Uint8Array(data)))
      .catch((error) => fail("write", error));
  }

  closeWrite(): Promise<void> {
    // Not #writing: a write may be under way.
    return this.#ending ??= this.#closing.run(this.#writer.close())
      .catch((error) => fail("end the stream", error));
  }

  async close(): Promise<void> {
    const closed = new Error("stream was closed");
    this.#reading.interrupt(closed);
    await deadline(this.closeWrite(), END_TIMEOUT).catch(() => {});
    this.#letGo(closed);
    await released(this.#pair.close?.());
  }

  async abort(reason: unknown): Promise<void> {
    this.#letGo(reason);
    await released(
      this.#pair.abort ? this.#pair.abort(reason) : this.#pair.close?.(),
    );
  }

  #letGo(reason: unknown): void {
    this.#reading.interrupt(reason);
    this.#writing.interrupt(reason);
    this.#closing.interrupt(reason);
    this.#reader.cancel(reason).catch(() => {});
    this.#writer.abort(reason).catch(() => {});
  }
}

/** Waits for a pair of somebody else to end, which it may do when it likes to, or never. */
export async function released(ending: unknown): Promise<void> {
  try {
    await deadline(Promise.resolve(ending), END_TIMEOUT);
  } catch (error) {
    if (!isTimeout(error)) throw error;
  }
}

function fail(action: string, error: unknown): never {
  throw asLost(error, action);
}
