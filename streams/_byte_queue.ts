/**
 * A first-in-first-out queue of bytes. Chunks are kept as they came and are
 * never joined to make room, so that pushing and taking cost time linear in
 * the bytes, whatever the chunking.
 */
export class ByteQueue {
  /** Made at the first push: most streams are piped and never need it. */
  #chunks: Uint8Array[] = NONE;
  /** Index of the first chunk that is still queued. */
  #head = 0;
  #size = 0;

  /** The number of bytes queued. */
  get size(): number {
    return this.#size;
  }

  /** Appends a chunk without copying it. */
  push(chunk: Uint8Array): void {
    if (chunk.byteLength === 0) return;
    if (this.#chunks === NONE) this.#chunks = [];
    this.#chunks.push(chunk);
    this.#size += chunk.byteLength;
  }

  /** Removes the first chunk as it came; `undefined` if there is none. */
  shift(): Uint8Array | undefined {
    if (this.#size === 0) return undefined;
    const chunk = this.#chunks[this.#head]!;
    this.#drop();
    this.#size -= chunk.byteLength;
    return chunk;
  }

  /**
   * Removes exactly `count` bytes, which must be queued. They are a view if
   * one chunk holds them all, and a copy otherwise.
   */
  take(count: number): Uint8Array {
    if (count === 0) return new Uint8Array(0);
    const first = this.#chunks[this.#head]!;
    if (count <= first.byteLength) return this.#takeFirst(first, count);
    const result = new Uint8Array(count);
    for (let filled = 0; filled < count;) {
      const chunk = this.#chunks[this.#head]!;
      const part = this.#takeFirst(
        chunk,
        Math.min(chunk.byteLength, count - filled),
      );
      result.set(part, filled);
      filled += part.byteLength;
    }
    return result;
  }

  /** Forgets everything. */
  clear(): void {
    this.#chunks = NONE;
    this.#head = 0;
    this.#size = 0;
  }

  #takeFirst(chunk: Uint8Array, count: number): Uint8Array {
    this.#size -= count;
    if (count === chunk.byteLength) {
      this.#drop();
      return chunk;
    }
    this.#chunks[this.#head] = chunk.subarray(count);
    return chunk.subarray(0, count);
  }

  #drop(): void {
    this.#head++;
    // Forget what was taken once it is half of the array: amortised constant.
    if (this.#head * 2 >= this.#chunks.length) {
      this.#chunks.splice(0, this.#head);
      this.#head = 0;
    }
  }
}

const NONE: never[] = [];
