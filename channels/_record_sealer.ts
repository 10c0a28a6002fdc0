import { takeBuffer } from "./_chunk_pool.ts";
import { TAG_LENGTH } from "./_noise/aes_gcm.ts";
import { MAX_BODY_LENGTH, RECORD_HEADER_LENGTH } from "./_record.ts";
import type { RecordCipher } from "./_record_cipher.ts";

/** A longer chunk is worth a buffer of the pool. */
const MIN_POOLED = 16_384;

/**
 * Where the plaintext of a record is put together: one for all sealers, as the
 * cipher copies it before the call returns.
 */
const plaintextBuffer = new Uint8Array(1 + MAX_BODY_LENGTH);
const header = new Uint8Array(RECORD_HEADER_LENGTH);

/** Makes the records of one direction, without any input or output. */
export class RecordSealer {
  readonly cipher: RecordCipher;

  constructor(cipher: RecordCipher) {
    this.cipher = cipher;
  }

  /**
   * Seals one record, short ones at once, and copies `body` before it returns.
   *
   * @returns What follows the header; its length is what the header says.
   */
  seal(
    type: number,
    body: Uint8Array,
  ): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> {
    const length = 1 + body.byteLength;
    plaintextBuffer[0] = type;
    plaintextBuffer.set(body, 1);
    const plaintext = plaintextBuffer.subarray(0, length);
    writeHeader(header, 0, length + TAG_LENGTH);
    return this.cipher.encrypt(header, plaintext);
  }
}

/**
 * Joins sealed records, with their headers, to one chunk of the wire of `length`
 * bytes.
 *
 * @param pooled Whether whoever writes the chunk gives its buffer back. What else
 * that buffer holds must not get out, as others have used it.
 */
export function joinRecords(
  sealed: readonly Uint8Array<ArrayBuffer>[],
  length: number,
  pooled: boolean,
): Uint8Array<ArrayBuffer> {
  const chunk = pooled && length > MIN_POOLED
    ? takeBuffer(length).subarray(0, length)
    : new Uint8Array(length);
  let at = 0;
  for (const record of sealed) {
    writeHeader(chunk, at, record.byteLength);
    chunk.set(record, at + RECORD_HEADER_LENGTH);
    at += RECORD_HEADER_LENGTH + record.byteLength;
  }
  return chunk;
}

function writeHeader(target: Uint8Array, at: number, length: number): void {
  target[at] = length >>> 8;
  target[at + 1] = length;
}
