import { concat } from "jsr:@std/bytes@^1.0.6/concat";
import { KEY_LENGTH } from "./aes_gcm.ts";
import { CipherState } from "./cipher_state.ts";
import { hkdf } from "./hkdf.ts";

const HASH_LENGTH = 32;
const EMPTY = new Uint8Array(0);

/** The two traffic keys of a finished handshake. */
export interface TrafficKeys {
  /** For what the initiator sends. */
  readonly initiator: Uint8Array<ArrayBuffer>;
  /** For what the responder sends. */
  readonly responder: Uint8Array<ArrayBuffer>;
}

/** The SymmetricState of Noise, section 5.2, for AESGCM and SHA256. */
export class SymmetricState {
  /** The chaining key ck. */
  #chainingKey: Uint8Array<ArrayBuffer>;
  /** The transcript hash h. */
  #hash: Uint8Array<ArrayBuffer>;
  #cipher?: CipherState;

  private constructor(hash: Uint8Array<ArrayBuffer>) {
    this.#hash = hash;
    this.#chainingKey = hash;
  }

  /** `InitializeSymmetric(protocol_name)`. */
  static async create(protocolName: string): Promise<SymmetricState> {
    const name = new TextEncoder().encode(protocolName);
    if (name.byteLength > HASH_LENGTH) {
      return new SymmetricState(await sha256(name));
    }
    const hash = new Uint8Array(HASH_LENGTH);
    hash.set(name);
    return new SymmetricState(hash);
  }

  /** `GetHandshakeHash()`: everything both sides have seen, in 32 bytes. */
  get handshakeHash(): Uint8Array<ArrayBuffer> {
    return this.#hash;
  }

  /** `MixKey(input_key_material)`. */
  async mixKey(input: Uint8Array<ArrayBuffer>): Promise<void> {
    const [key] = await this.#mix(input, 1);
    this.#cipher = await CipherState.create(key!);
    key!.fill(0);
  }

  /** `MixHash(data)`. */
  async mixHash(data: Uint8Array): Promise<void> {
    this.#hash = await sha256(concat([this.#hash, data]));
  }

  /** `MixKeyAndHash(input_key_material)`. */
  async mixKeyAndHash(input: Uint8Array<ArrayBuffer>): Promise<void> {
    const [hashed, key] = await this.#mix(input, 2);
    await this.mixHash(hashed!);
    this.#cipher = await CipherState.create(key!);
    key!.fill(0);
  }

  /** Whether what follows is encrypted, and so 16 bytes longer. */
  get hasKey(): boolean {
    return this.#cipher !== undefined;
  }

  /** `EncryptAndHash(plaintext)`. */
  async encryptAndHash(
    plaintext: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const ciphertext = await this.#cipher?.encrypt(this.#hash, plaintext) ??
      plaintext;
    await this.mixHash(ciphertext);
    return ciphertext;
  }

  /** `DecryptAndHash(ciphertext)`; rejects if the tag is not right. */
  async decryptAndHash(
    ciphertext: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const plaintext = await this.#cipher?.decrypt(this.#hash, ciphertext) ??
      ciphertext;
    await this.mixHash(ciphertext);
    return plaintext;
  }

  /** `Split()`. The caller owns the keys and wipes them. */
  async split(): Promise<TrafficKeys> {
    const keys = await hkdf(this.#chainingKey, EMPTY, EMPTY, 2 * KEY_LENGTH);
    this.#chainingKey.fill(0);
    this.#cipher = undefined;
    return {
      initiator: keys.subarray(0, KEY_LENGTH),
      responder: keys.subarray(KEY_LENGTH),
    };
  }

  /** Replaces ck by the first output of HKDF, and gives `count` more. */
  async #mix(
    input: Uint8Array<ArrayBuffer>,
    count: number,
  ): Promise<Uint8Array<ArrayBuffer>[]> {
    const length = (count + 1) * HASH_LENGTH;
    const output = await hkdf(this.#chainingKey, input, EMPTY, length);
    this.#chainingKey = output.subarray(0, HASH_LENGTH);
    return Array.from(
      { length: count },
      (_, i) => output.subarray((i + 1) * HASH_LENGTH, (i + 2) * HASH_LENGTH),
    );
  }
}

async function sha256(
  data: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}
