import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { AesGcmKey } from "../../../channels/_noise/aes_gcm.ts";
import { AES_GCM_VECTORS } from "../_vectors/aes_gcm.ts";

Deno.test("AesGcmKey agrees with the Wycheproof vectors on both engines", async () => {
  let valid = 0;
  let invalid = 0;
  for (const vector of AES_GCM_VECTORS) {
    const key = await AesGcmKey.import(decodeHex(vector.key));
    const nonce = decodeHex(vector.nonce);
    const ad = decodeHex(vector.additionalData);
    const plaintext = decodeHex(vector.plaintext);
    const sealed = concat([
      decodeHex(vector.ciphertext),
      decodeHex(vector.tag),
    ]);
    if (vector.valid) {
      const expected = encodeHex(sealed);
      assertEquals(
        encodeHex(await key.encrypt(nonce, ad, plaintext)),
        expected,
      );
      assertEquals(encodeHex(key.encryptSync(nonce, ad, plaintext)), expected);
      assertEquals(await key.decrypt(nonce, ad, sealed), plaintext);
      assertEquals(key.decryptSync(nonce, ad, sealed), plaintext);
      valid++;
    } else {
      await assertRejects(() => key.decrypt(nonce, ad, sealed));
      assertThrows(() => key.decryptSync(nonce, ad, sealed));
      invalid++;
    }
  }
  assertEquals({ valid, invalid }, { valid: 39, invalid: 27 });
});

Deno.test("AesGcmKey copies its inputs before a call returns", async () => {
  const keyBytes = new Uint8Array(32).fill(1);
  const importing = AesGcmKey.import(keyBytes);
  keyBytes.fill(0);
  const key = await importing;
  const nonce = new Uint8Array(12).fill(2);
  const ad = new Uint8Array(2).fill(3);
  const plaintext = new Uint8Array(70_000).fill(4);
  const expected = key.encryptSync(nonce, ad, plaintext);
  const encrypting = key.encrypt(nonce, ad, plaintext);
  for (const bytes of [nonce, ad, plaintext]) bytes.fill(0);
  assertEquals(
    (await AesGcmKey.import(new Uint8Array(32).fill(1))).decryptSync(
      new Uint8Array(12).fill(2),
      new Uint8Array(2).fill(3),
      expected,
    ),
    new Uint8Array(70_000).fill(4),
  );
  assertEquals(await encrypting, expected);
});

Deno.test("AesGcmKey refuses a ciphertext shorter than a tag on both engines", async () => {
  const key = await AesGcmKey.import(new Uint8Array(32));
  const nonce = new Uint8Array(12);
  for (let length = 0; length < 16; length++) {
    const short = new Uint8Array(length);
    await assertRejects(() => key.decrypt(nonce, new Uint8Array(0), short));
    assertThrows(() => key.decryptSync(nonce, new Uint8Array(0), short));
  }
});

Deno.test("AesGcmKey makes equal bytes on both engines for every length up to 300", async () => {
  const key = await AesGcmKey.import(new Uint8Array(32).fill(9));
  const nonce = new Uint8Array(12).fill(8);
  for (let length = 0; length <= 300; length++) {
    const ad = new Uint8Array(length % 40).fill(length);
    const plaintext = new Uint8Array(length).fill(length);
    const sealed = key.encryptSync(nonce, ad, plaintext);
    assertEquals(await key.encrypt(nonce, ad, plaintext), sealed);
    assert(sealed.byteLength === length + 16);
  }
});
