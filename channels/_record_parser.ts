import { notAuthentic } from "./_encryption_error.ts";
import {
  MAX_RECORD_LENGTH,
  MIN_RECORD_LENGTH,
  RECORD_HEADER_LENGTH,
} from "./_record.ts";

const MAX_LENGTH = RECORD_HEADER_LENGTH + MAX_RECORD_LENGTH;
const MIN_BUFFER = 256;
const EMPTY = new Uint8Array(0);

/**
 * Finds the records in chunks that are cut anywhere. One that lies within a
 * chunk is a view of it, any other is put together in memory that grows with
 * what has arrived, never with what a header claims.
 */
export class RecordParser {
  /** The record being put together. */
  #buffer: Uint8Array<ArrayBuffer> = EMPTY;
  #filled = 0;

  /** How many bytes of an unfinished record there are. */
  get pending(): number {
    return this.#filled;
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
    let at = 0;
    while (at < chunk.byteLength) {
      if (this.#filled === 0) {
        const end = at + recordLength(chunk, at);
        if (end <= chunk.byteLength) {
          yield chunk.subarray(at, end);
          at = end;
          continue;
        }
      }
      // The header may be cut, too: then it says how far to go once it is whole.
      at += this.#append(
        chunk,
        at,
        recordLength(this.#buffer, 0, this.#filled),
      );
      const length = recordLength(this.#buffer, 0, this.#filled);
      if (this.#filled < length) continue;
      this.#filled = 0;
      yield this.#buffer.subarray(0, length);
    }
    // Nothing begun: most likely a pause, so that nothing is held for it.
    if (this.#filled === 0) this.#buffer = EMPTY;
  }

  /** Takes what is missing to `length` bytes, as far as it is there. */
  #append(chunk: Uint8Array, at: number, length: number): number {
    const part = chunk.subarray(at, at + length - this.#filled);
    const needed = this.#filled + part.byteLength;
    if (needed > this.#buffer.byteLength) {
      const size = Math.max(needed, 2 * this.#buffer.byteLength, MIN_BUFFER);
      const grown = new Uint8Array(Math.min(size, MAX_LENGTH));
      grown.set(this.#buffer.subarray(0, this.#filled));
      this.#buffer = grown;
    }
    this.#buffer.set(part, this.#filled);
    this.#filled = needed;
    return part.byteLength;
  }
}

/** The length of the record at `at`, or of its header where that is not whole yet. */
function recordLength(
  bytes: Uint8Array,
  at: number,
  end: number = bytes.byteLength,
): number {
  if (end - at < RECORD_HEADER_LENGTH) return RECORD_HEADER_LENGTH;
  const length = bytes[at]! << 8 | bytes[at + 1]!;
  if (length < MIN_RECORD_LENGTH) throw notAuthentic();
  return RECORD_HEADER_LENGTH + length;
}
