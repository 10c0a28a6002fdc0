import { assertEquals, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { EncryptionError } from "../../../errors.ts";
import { AesGcmKey } from "../../../channels/_noise/aes_gcm.ts";
import {
  CipherState,
  writeNonce,
} from "../../../channels/_noise/cipher_state.ts";

const EMPTY = new Uint8Array(0);

function encodeNonce(n: number): Uint8Array<ArrayBuffer> {
  const nonce = new Uint8Array(12);
  writeNonce(nonce, n);
  return nonce;
}

Deno.test("writeNonce writes all 64 bits of the counter, at every boundary", () => {
  const cases: [number, string][] = [
    [0, "000000000000000000000000"],
    [1, "000000000000000000000001"],
    [255, "0000000000000000000000ff"],
    [256, "000000000000000000000100"],
    [2 ** 31 - 1, "00000000000000007fffffff"],
    [2 ** 31, "000000000000000080000000"],
    [2 ** 32 - 1, "0000000000000000ffffffff"],
    [2 ** 32, "000000000000000100000000"],
    [2 ** 32 + 1, "000000000000000100000001"],
    [2 ** 33 + 2 ** 31, "000000000000000280000000"],
    [2 ** 52, "000000000010000000000000"],
    [2 ** 53 - 2, "00000000001ffffffffffffe"],
  ];
  for (const [n, hex] of cases) assertEquals(encodeHex(encodeNonce(n)), hex);
});

Deno.test("CipherState never repeats a nonce across 2^32", async () => {
  const keyBytes = new Uint8Array(32).fill(7);
  const key = await AesGcmKey.import(keyBytes);
  const cipher = await CipherState.create(keyBytes, 2 ** 32 - 2);
  const seen = new Set<string>();
  for (let i = 0; i < 4; i++) {
    const n = BigInt(2 ** 32 - 2 + i);
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setBigUint64(4, n);
    const sealed = i % 2 === 0
      ? await cipher.encrypt(EMPTY, new Uint8Array(16))
      : cipher.encryptSync(EMPTY, new Uint8Array(16));
    assertEquals(sealed, key.encryptSync(nonce, EMPTY, new Uint8Array(16)));
    seen.add(encodeHex(sealed));
  }
  assertEquals(seen.size, 4);
});

Deno.test("CipherState refuses the nonce 2^53 - 1 in all four calls", async () => {
  const cipher = await CipherState.create(
    new Uint8Array(32),
    Number.MAX_SAFE_INTEGER - 1,
  );
  cipher.encryptSync(EMPTY, EMPTY);
  assertEquals(cipher.n, Number.MAX_SAFE_INTEGER);
  const message = "Cannot use key as its nonce must be < 9007199254740991";
  assertThrows(() => cipher.encrypt(EMPTY, EMPTY), EncryptionError, message);
  assertThrows(() => cipher.decrypt(EMPTY, EMPTY), EncryptionError, message);
  assertThrows(
    () => cipher.encryptSync(EMPTY, EMPTY),
    EncryptionError,
    message,
  );
  assertThrows(
    () => cipher.decryptSync(EMPTY, EMPTY),
    EncryptionError,
    message,
  );
  assertEquals(cipher.n, Number.MAX_SAFE_INTEGER);
});

Deno.test("CipherState takes its nonces in the order of the calls, however they overlap", async () => {
  const key = new Uint8Array(32).fill(5);
  const sender = await CipherState.create(key);
  const receiver = await CipherState.create(key);
  const sealed = await Promise.all(
    Array.from({ length: 64 }, (_, i) => {
      const plaintext = new Uint8Array(i % 3 === 0 ? 50_000 : 1).fill(i);
      return i % 5 === 0
        ? sender.encryptSync(EMPTY, plaintext)
        : sender.encrypt(EMPTY, plaintext);
    }),
  );
  for (const [i, ciphertext] of sealed.entries()) {
    assertEquals(receiver.decryptSync(EMPTY, ciphertext)[0], i);
  }
});

Deno.test("CipherState.rekey takes the key of Noise section 4.2 and goes on counting", async () => {
  const key = new Uint8Array(32).fill(3);
  const maxNonce = new Uint8Array(12).fill(0xff, 4);
  const first = await AesGcmKey.import(key);
  const zeros = new Uint8Array(32);
  const nextKey = first.encryptSync(maxNonce, EMPTY, zeros).slice(0, 32);
  const next = await AesGcmKey.import(nextKey);

  const cipher = await CipherState.create(key);
  cipher.encryptSync(EMPTY, EMPTY);
  await cipher.rekey();
  assertEquals(cipher.n, 1);
  const sealed = cipher.encryptSync(EMPTY, new Uint8Array([1, 2, 3]));
  assertEquals(
    sealed,
    next.encryptSync(encodeNonce(1), EMPTY, new Uint8Array([1, 2, 3])),
  );
});
