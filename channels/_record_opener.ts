import { notAuthentic } from "./_encryption_error.ts";
import { RECORD_HEADER_LENGTH, RecordType } from "./_record.ts";
import type { RecordCipher } from "./_record_cipher.ts";
import type { SecureRole } from "./secure_options.ts";

/**
 * Opens the records of one direction, without any input or output, in two steps:
 * {@linkcode open} for each record as it comes, which may overlap, then
 * {@linkcode accept} for each plaintext in the same order.
 */
export class RecordOpener {
  readonly cipher: RecordCipher;
  #state: "ready expected" | "open" | "closed";

  /** @param sender Whose direction it is: the initiator's begins with READY. */
  constructor(cipher: RecordCipher, sender: SecureRole) {
    this.cipher = cipher;
    this.#state = sender === "initiator" ? "ready expected" : "open";
  }

  /** Whether CLOSE has been accepted. */
  get closed(): boolean {
    return this.#state === "closed";
  }

  /**
   * Decrypts one whole record, a short one at once, and copies it before it
   * returns. It never throws: a record that is not authentic is a rejection, so
   * that it has its turn.
   */
  open(
    record: Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> {
    const header = record.subarray(0, RECORD_HEADER_LENGTH);
    const sealed = record.subarray(RECORD_HEADER_LENGTH);
    try {
      return this.cipher.decrypt(header, sealed);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Checks that a plaintext is what may come next.
   *
   * @returns The body if it is DATA.
   * @throws {EncryptionError} if it is malformed or out of place.
   */
  accept(
    plaintext: Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer> | undefined {
    const type = plaintext[0];
    const body = plaintext.subarray(1);
    if (this.#state === "ready expected") {
      if (type !== RecordType.READY || body.byteLength !== 0) {
        throw notAuthentic();
      }
      this.#state = "open";
      return undefined;
    }
    if (this.#state === "closed") throw notAuthentic();
    if (type === RecordType.DATA && body.byteLength > 0) return body;
    if (type !== RecordType.CLOSE || body.byteLength !== 1) {
      throw notAuthentic();
    }
    this.#state = "closed";
    return undefined;
  }
}
