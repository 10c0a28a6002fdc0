import {
  assertEquals,
  assertNotStrictEquals,
  assertStrictEquals,
} from "@std/assert";
import { recycle, takeBuffer } from "../../channels/_chunk_pool.ts";

Deno.test("A buffer that is recycled is the next one taken of its size", () => {
  for (const size of [66_048, 131_072]) {
    const buffer = takeBuffer(size);
    assertEquals(buffer.byteLength, size);
    recycle(buffer.subarray(10, 20));
    assertStrictEquals(takeBuffer(size).buffer, buffer.buffer);
  }
});

Deno.test("Memory that is not the pool's is never taken in, though it has the size of a buffer", () => {
  for (const size of [66_048, 131_072]) {
    const mine = new Uint8Array(size);
    recycle(mine);
    assertNotStrictEquals(takeBuffer(size).buffer, mine.buffer);
  }
});
