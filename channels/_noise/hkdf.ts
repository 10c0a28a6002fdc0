/**
 * HKDF-SHA-256 (RFC 5869).
 *
 * The HKDF of Noise, section 4.3, is the same function: its chaining key is the
 * salt, its info is empty, and its two or three outputs are the blocks of one
 * longer one.
 */
export async function hkdf(
  salt: Uint8Array<ArrayBuffer>,
  input: Uint8Array<ArrayBuffer>,
  info: Uint8Array<ArrayBuffer>,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", input, "HKDF", false, [
    "deriveBits",
  ]);
  const algorithm = { name: "HKDF", hash: "SHA-256", salt, info };
  return new Uint8Array(
    await crypto.subtle.deriveBits(algorithm, key, length * 8),
  );
}
