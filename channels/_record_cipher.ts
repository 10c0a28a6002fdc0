import { CipherState } from "./_noise/cipher_state.ts";
import { MAX_SYNC_LENGTH, REKEY_INTERVAL } from "./_record.ts";

/** The key of one direction, which changes after so many records. */
export class RecordCipher {
  readonly #cipher: CipherState;
  readonly #rekeyInterval: number;
  #nextRekey: number;

  private constructor(cipher: CipherState, rekeyInterval: number) {
    this.#cipher = cipher;
    this.#rekeyInterval = rekeyInterval;
    this.#nextRekey = rekeyInterval;
  }

  /** Takes a copy of the traffic key before it returns. */
  static async create(
    key: Uint8Array,
    rekeyInterval: number = REKEY_INTERVAL,
  ): Promise<RecordCipher> {
    return new RecordCipher(await CipherState.create(key), rekeyInterval);
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

  /** Encrypts, what is short at once, and copies the plaintext before it returns. */
  encrypt(
    header: Uint8Array<ArrayBuffer>,
    plaintext: Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> {
    return plaintext.byteLength <= MAX_SYNC_LENGTH
      ? this.#cipher.encryptSync(header, plaintext)
      : this.#cipher.encrypt(header, plaintext);
  }

  /** Decrypts, what is short at once, and copies the ciphertext before it returns. */
  decrypt(
    header: Uint8Array<ArrayBuffer>,
    ciphertext: Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> {
    return ciphertext.byteLength <= MAX_SYNC_LENGTH
      ? this.#cipher.decryptSync(header, ciphertext)
      : this.#cipher.decrypt(header, ciphertext);
  }
}
