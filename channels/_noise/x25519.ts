import { concat } from "jsr:@std/bytes@^1.0.6/concat";

/** The length of a public key, a private key and a shared secret, in bytes. */
export const DH_LENGTH = 32;

/** DER of a PKCS #8 PrivateKeyInfo for X25519 (RFC 8410), up to the 32 key bytes. */
// deno-fmt-ignore
const PKCS8_PREFIX = new Uint8Array([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20,
]);
/** The u-coordinate of the base point (RFC 7748, section 4.1). */
const BASE_POINT = new Uint8Array(DH_LENGTH).fill(9, 0, 1);

/** A Diffie-Hellman key pair; the private half never leaves WebCrypto. */
export interface KeyPair {
  readonly privateKey: CryptoKey;
  readonly publicKey: Uint8Array<ArrayBuffer>;
}

/** `GENERATE_KEYPAIR()` of Noise, section 4.1. */
export async function generateKeyPair(): Promise<KeyPair> {
  const pair = await crypto.subtle.generateKey({ name: "X25519" }, false, [
    "deriveBits",
  ]) as CryptoKeyPair;
  const publicKey = await crypto.subtle.exportKey("raw", pair.publicKey);
  return { privateKey: pair.privateKey, publicKey: new Uint8Array(publicKey) };
}

/** The key pair of a known private key: for test vectors. */
export async function importKeyPair(
  privateBytes: Uint8Array,
): Promise<KeyPair> {
  const privateKey = await crypto.subtle.importKey(
    "pkcs8",
    concat([PKCS8_PREFIX, privateBytes]),
    { name: "X25519" },
    false,
    ["deriveBits"],
  );
  return { privateKey, publicKey: await diffieHellman(privateKey, BASE_POINT) };
}

/**
 * `DH()` of Noise, section 4.1. WebCrypto refuses a public key that gives the
 * all-zero secret, which Noise allows (section 12.1); no honest peer sends one.
 */
export async function diffieHellman(
  privateKey: CryptoKey,
  publicBytes: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const name = "X25519";
  const publicKey = await crypto.subtle.importKey(
    "raw",
    publicBytes,
    { name },
    false,
    [],
  );
  return new Uint8Array(
    await crypto.subtle.deriveBits(
      { name, public: publicKey },
      privateKey,
      DH_LENGTH * 8,
    ),
  );
}
