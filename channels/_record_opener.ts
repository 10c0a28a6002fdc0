import { notAuthentic } from "./_encryption_error.ts";
import { CipherState } from "./_noise/cipher_state.ts";
import {
  MAX_SYNC_LENGTH,
  RECORD_HEADER_LENGTH,
  RecordType,
  REKEY_INTERVAL,
} from "./_record.ts";

/** How a {@linkcode RecordOpener} differs from the default. */
export interface RecordOpenerOptions {
  /** Whether the first record must be READY: the initiator's direction. */
  expectReady: boolean;
  /** After how many records the key changes. */
  rekeyInterval?: number;
}

/**
 * Opens the records of one direction, without any input or output, in two steps:
 * {@linkcode open} for each record as it comes, which may overlap, then
 * {@linkcode accept} for each plaintext in the same order.
 */
export class RecordOpener {
  readonly #cipher: CipherState;
  readonly #rekeyInterval: number;
  #nextRekey: number;
  #state: "ready expected" | "open" | "closed";

  private constructor(cipher: CipherState, options: RecordOpenerOptions) {
    const { expectReady, rekeyInterval = REKEY_INTERVAL } = options;
    this.#cipher = cipher;
    this.#rekeyInterval = rekeyInterval;
    this.#nextRekey = rekeyInterval;
    this.#state = expectReady ? "ready expected" : "open";
  }

  /** Takes a copy of the traffic key before it returns. */
  static async create(
    key: Uint8Array,
    options: RecordOpenerOptions,
  ): Promise<RecordOpener> {
    return new RecordOpener(await CipherState.create(key), options);
  }

  /** Whether CLOSE has been accepted. */
  get closed(): boolean {
    return this.#state === "closed";
  }

  /** Whether {@linkcode rekey} must come before the next record. */
  get rekeyIsDue(): boolean {
    return this.#cipher.n === this.#nextRekey;
  }

  /** Changes the key. Records begun before are not affected. */
  rekey(): Promise<void> {
    this.#nextRekey += this.#rekeyInterval;
    return this.#cipher.rekey();
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
      return sealed.byteLength <= MAX_SYNC_LENGTH
        ? this.#cipher.decryptSync(header, sealed)
        : this.#cipher.decrypt(header, sealed);
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
  accept(plaintext: Uint8Array): Uint8Array | undefined {
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
