import { EncryptionError } from "../../errors.ts";
import { AesGcmKey, KEY_LENGTH, NONCE_LENGTH } from "./aes_gcm.ts";

/**
 * Noise reserves 2^64-1 for `Rekey()`. A number is exact up to 2^53-1 only, so
 * that is where this state refuses to go on.
 */
const MAX_NONCE = Number.MAX_SAFE_INTEGER;
const REKEY_NONCE = new Uint8Array(NONCE_LENGTH).fill(0xff, 4);
const EMPTY = new Uint8Array(0);

/** Writes the AES-GCM nonce of Noise, section 12.4: four zero bytes, then n as a big-endian u64. */
export function writeNonce(nonce: Uint8Array, n: number): void {
  // All 64 bits: `>>>` keeps 32 of them, and a counter that wraps there repeats a nonce.
  const high = Math.floor(n / 2 ** 32);
  for (let i = 0; i < 4; i++) {
    nonce[4 + i] = high >>> (24 - 8 * i);
    nonce[8 + i] = n >>> (24 - 8 * i);
  }
}

/**
 * The CipherState of Noise, section 5.1, for AESGCM: a key and a counter that
 * never repeats under it.
 *
 * Each call takes its nonce before it returns, so that calls may overlap. After
 * one that failed the state is of no further use.
 */
export class CipherState {
  #key: AesGcmKey;
  #n: number;
  /** Reused, as the cipher copies it. */
  readonly #nonce = new Uint8Array(NONCE_LENGTH);

  private constructor(key: AesGcmKey, n: number) {
    this.#key = key;
    this.#n = n;
  }

  /** `InitializeKey(key)`, with a copy of `key`. `n` is the first nonce; other than 0 in tests. */
  static async create(
    key: Uint8Array,
    n = 0,
  ): Promise<CipherState> {
    return new CipherState(await AesGcmKey.import(key), n);
  }

  /** The nonce of the next call: how many there were under all keys so far. */
  get n(): number {
    return this.#n;
  }

  /** `EncryptWithAd`, on another thread. */
  encrypt(
    ad: Uint8Array<ArrayBuffer>,
    plaintext: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    return this.#key.encrypt(this.#nextNonce(), ad, plaintext);
  }

  /** `DecryptWithAd`, on another thread. */
  decrypt(
    ad: Uint8Array<ArrayBuffer>,
    ciphertext: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    return this.#key.decrypt(this.#nextNonce(), ad, ciphertext);
  }

  /** `EncryptWithAd`, at once. */
  encryptSync(
    ad: Uint8Array<ArrayBuffer>,
    plaintext: Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer> {
    return this.#key.encryptSync(this.#nextNonce(), ad, plaintext);
  }

  /** `DecryptWithAd`, at once. */
  decryptSync(
    ad: Uint8Array<ArrayBuffer>,
    ciphertext: Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer> {
    return this.#key.decryptSync(this.#nextNonce(), ad, ciphertext);
  }

  /** `Rekey()`, section 11.3: the key changes, n goes on. */
  async rekey(): Promise<void> {
    const next = this.#key.encryptSync(
      REKEY_NONCE,
      EMPTY,
      new Uint8Array(KEY_LENGTH),
    );
    const importing = AesGcmKey.import(next.subarray(0, KEY_LENGTH));
    next.fill(0);
    this.#key.destroy();
    this.#key = await importing;
  }

  #nextNonce(): Uint8Array<ArrayBuffer> {
    if (this.#n >= MAX_NONCE) {
      throw new EncryptionError(
        `Cannot use key as its nonce must be < ${MAX_NONCE}: current value is ${this.#n}`,
      );
    }
    writeNonce(this.#nonce, this.#n++);
    return this.#nonce;
  }
}
