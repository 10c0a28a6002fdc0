import { assertEquals } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { hkdf } from "../../../channels/_noise/hkdf.ts";

// RFC 5869, appendix A: the cases for SHA-256.
const CASES = [
  {
    ikm: "0b".repeat(22),
    salt: "000102030405060708090a0b0c",
    info: "f0f1f2f3f4f5f6f7f8f9",
    okm:
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
  },
  {
    ikm: range(0x00, 0x4f),
    salt: range(0x60, 0xaf),
    info: range(0xb0, 0xff),
    okm:
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
  },
  {
    ikm: "0b".repeat(22),
    salt: "",
    info: "",
    okm:
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
  },
];

Deno.test("hkdf agrees with RFC 5869, appendix A", async () => {
  for (const { ikm, salt, info, okm } of CASES) {
    const output = await hkdf(
      decodeHex(salt),
      decodeHex(ikm),
      decodeHex(info),
      okm.length / 2,
    );
    assertEquals(encodeHex(output), okm);
  }
});

Deno.test("hkdf with an empty input and info is the Noise HKDF: chained HMACs", async () => {
  const salt = new Uint8Array(32).fill(1);
  const input = new Uint8Array(0);
  const hmac = async (key: Uint8Array<ArrayBuffer>, data: number[]) => {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const imported = await crypto.subtle.importKey(
      "raw",
      key,
      algorithm,
      false,
      ["sign"],
    );
    return new Uint8Array(
      await crypto.subtle.sign("HMAC", imported, new Uint8Array(data)),
    );
  };
  const temporary = await hmac(salt, [...input]);
  const output1 = await hmac(temporary, [1]);
  const output2 = await hmac(temporary, [...output1, 2]);
  const output3 = await hmac(temporary, [...output2, 3]);
  assertEquals(
    await hkdf(salt, input, new Uint8Array(0), 96),
    new Uint8Array([...output1, ...output2, ...output3]),
  );
});

function range(first: number, last: number): string {
  return encodeHex(
    Uint8Array.from({ length: last - first + 1 }, (_, i) => first + i),
  );
}
