import { Fifo } from "./_fifo.ts";

/**
 * A first-in-first-out queue of bytes. Chunks are kept as they came and are
 * never joined to make room, so that pushing and taking cost time linear in
 * the bytes, whatever the chunking.
 */
export class ByteQueue {
  readonly #chunks = new Fifo<Uint8Array<ArrayBuffer>>();
  #size = 0;

  /** The number of bytes queued. */
  get size(): number {
    return this.#size;
  }

  /** Appends a chunk without copying it. */
  push(chunk: Uint8Array<ArrayBuffer>): void {
    if (chunk.byteLength === 0) return;
    this.#chunks.push(chunk);
    this.#size += chunk.byteLength;
  }

  /** Puts back a chunk that was removed. */
  unshift(chunk: Uint8Array<ArrayBuffer>): void {
    this.#chunks.unshift(chunk);
    this.#size += chunk.byteLength;
  }

  /**
   * Removes the first chunk as it came; `undefined` if there is none.
   *
   * @throws {TypeError} if its memory was transferred.
   */
  shift(): Uint8Array<ArrayBuffer> | undefined {
    const chunk = this.#chunks.shift();
    if (chunk) this.#size -= sizeOf(chunk);
    return chunk;
  }

  /**
   * Removes exactly `count` bytes, which must be queued. They are a view if
   * one chunk holds them all, and a copy otherwise.
   *
   * @throws {TypeError} if the memory of any of them was transferred.
   */
  take(count: number): Uint8Array<ArrayBuffer> {
    const first = this.#takeFirst(count);
    if (first.byteLength === count) return first;
    const result = new Uint8Array(count);
    result.set(first);
    for (let filled = first.byteLength; filled < count;) {
      const part = this.#takeFirst(count - filled);
      result.set(part, filled);
      filled += part.byteLength;
    }
    return result;
  }

  /** Forgets everything. */
  clear(): void {
    this.#chunks.clear();
    this.#size = 0;
  }

  /** Removes `count` bytes, or as many as the first chunk has. */
  #takeFirst(count: number): Uint8Array<ArrayBuffer> {
    if (count === 0) return new Uint8Array(0);
    const chunk = this.#chunks.peek()!;
    if (count >= sizeOf(chunk)) return this.shift()!;
    this.#size -= count;
    this.#chunks.replaceFirst(chunk.subarray(count));
    return chunk.subarray(0, count);
  }
}

/** The size of a chunk, none of which was empty when it came. */
function sizeOf({ byteLength }: Uint8Array): number {
  if (byteLength > 0) return byteLength;
  throw new TypeError(
    "the memory of bytes that were not read yet was transferred, with that of others",
  );
}
