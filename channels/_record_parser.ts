import { CHUNK_CAPACITY, recycle, takeBuffer } from "./_chunk_pool.ts";
import { notAuthentic } from "./_encryption_error.ts";
import { MIN_RECORD_LENGTH, RECORD_HEADER_LENGTH } from "./_record.ts";

/** The first memory for a record that is not whole, in bytes. */
const MIN_BUFFER = 256;
/** If a record misses less than this many bytes, a transport reads into memory of its own. */
const MIN_LOAN = 4096;

/**
 * Finds the records in chunks that are cut anywhere. One that lies within a
 * chunk is a view of it, any other is put together in memory that grows with
 * what has arrived, never with what a header claims.
 */
export class RecordParser {
  /** Begins with the bytes of the record that is not whole. */
  #buffer: Uint8Array<ArrayBuffer> = EMPTY;
  #filled = 0;

  /** How many bytes of an unfinished record there are. */
  get pending(): number {
    return this.#filled;
  }

  /**
   * Memory that a transport may read the next bytes into, so that they need not
   * be copied: behind what is there of a long record. The chunk to be parsed next
   * is then a view of it.
   */
  lend(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#filled < MIN_LOAN) return undefined;
    const missing = recordLength(this.#buffer, 0, this.#filled) - this.#filled;
    if (missing < MIN_LOAN) return undefined;
    this.#reserve(CHUNK_CAPACITY);
    return this.#buffer.subarray(this.#filled);
  }

  /**
   * The records that `chunk` completes, whole. Each is good until the next is
   * asked for, and `chunk` must not change before the last.
   *
   * @throws {EncryptionError} if a header announces less than the shortest record.
   */
  *parse(
    chunk: Uint8Array<ArrayBuffer>,
  ): Generator<Uint8Array<ArrayBuffer>, void> {
    let bytes = chunk;
    if (this.#isLoan(chunk)) {
      // It continues what is there: all of it is one piece.
      bytes = this.#buffer.subarray(0, this.#filled + chunk.byteLength);
      this.#filled = 0;
    }
    let at = 0;
    while (at < bytes.byteLength) {
      if (this.#filled === 0) {
        const end = at + recordLength(bytes, at, bytes.byteLength);
        if (end <= bytes.byteLength) {
          yield bytes.subarray(at, end);
          at = end;
          continue;
        }
      }
      // The header may be cut, too: then it says how far to go once it is whole.
      at += this.#append(
        bytes,
        at,
        recordLength(this.#buffer, 0, this.#filled),
      );
      const length = recordLength(this.#buffer, 0, this.#filled);
      if (this.#filled < length) continue;
      this.#filled = 0;
      yield this.#buffer.subarray(0, length);
    }
    if (this.#filled > 0) return;
    // Nothing begun: most likely a pause, so that nothing is held for it.
    recycle(this.#buffer);
    this.#buffer = EMPTY;
  }

  #isLoan(chunk: Uint8Array): boolean {
    return chunk.buffer === this.#buffer.buffer && chunk.byteLength > 0;
  }

  /** Takes what is missing to `length` bytes, as far as it is there. */
  #append(bytes: Uint8Array, at: number, length: number): number {
    const part = bytes.subarray(at, at + length - this.#filled);
    this.#reserve(this.#filled + part.byteLength);
    this.#buffer.set(part, this.#filled);
    this.#filled += part.byteLength;
    return part.byteLength;
  }

  /** Makes room for `size` bytes, for half as many again, or for all that can come. */
  #reserve(size: number): void {
    const { byteLength } = this.#buffer;
    if (size <= byteLength) return;
    const capacity = Math.max(size, 2 * byteLength, MIN_BUFFER);
    const grown = capacity > CHUNK_CAPACITY / 4
      ? takeBuffer(CHUNK_CAPACITY)
      : new Uint8Array(capacity);
    grown.set(this.#buffer.subarray(0, this.#filled));
    this.#buffer = grown;
  }
}

const EMPTY = new Uint8Array(0);

/** The length of the record at `at`, or of its header where that is not whole yet. */
function recordLength(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < RECORD_HEADER_LENGTH) return RECORD_HEADER_LENGTH;
  const length = bytes[at]! << 8 | bytes[at + 1]!;
  if (length < MIN_RECORD_LENGTH) throw notAuthentic();
  return RECORD_HEADER_LENGTH + length;
}
