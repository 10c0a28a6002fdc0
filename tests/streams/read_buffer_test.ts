import { assert, assertEquals } from "@std/assert";
import { ReadBuffer } from "../../streams/_read_buffer.ts";
import { generator } from "./_random.ts";

/** Reads `count` bytes as a socket would, filling the space with `value`. */
function read(buffer: ReadBuffer, count: number, value = 0): Uint8Array {
  const space = buffer.space();
  assert(space.length > 0);
  const size = Math.min(count, space.length);
  space.fill(value, 0, size);
  return buffer.take(size);
}

/** Fills whatever space there is, as a socket does that has more. */
function readMuch(buffer: ReadBuffer, times: number): void {
  for (let i = 0; i < times; i++) read(buffer, Infinity);
}

/** Reads `length` bytes that arrive at once; gives in how many reads. */
function message(buffer: ReadBuffer, length: number): number {
  let reads = 0;
  for (let left = length, full = true; left > 0 || full; reads++) {
    const space = buffer.space();
    const size = Math.min(left, space.length);
    if (size === 0) break; // The read that waits.
    full = size === space.length;
    left -= buffer.take(size).length;
  }
  return reads;
}

/** What a read that waits holds. */
function held(buffer: ReadBuffer): number {
  return buffer.space().buffer.byteLength;
}

/** 64 KiB, and room for the header and trailer of a frame. */
const LARGEST = 65_548;

Deno.test("ReadBuffer holds a quarter of a KiB before anything was read", () => {
  assertEquals(held(new ReadBuffer()), 256);
});

Deno.test("ReadBuffer takes 64 KiB and what stands around it for a busy stream, and no more", () => {
  const buffer = new ReadBuffer();
  readMuch(buffer, 3);
  assertEquals(held(buffer), LARGEST);
  readMuch(buffer, 100);
  assertEquals(held(buffer), LARGEST);
});

Deno.test("ReadBuffer holds no large buffer once a read shows that nothing more is waiting", () => {
  for (const last of [1, 1000, 30_000, 65_535]) {
    const buffer = new ReadBuffer();
    readMuch(buffer, 10);
    read(buffer, last);
    assert(held(buffer) <= 4096, `${held(buffer)} after ${last}`);
    readMuch(buffer, 2);
    assertEquals(held(buffer), LARGEST, "busy again");
  }
});

Deno.test("ReadBuffer returns to a small buffer for a stream of small chunks", () => {
  const buffer = new ReadBuffer();
  readMuch(buffer, 10);
  for (let i = 0; i < 1000; i++) read(buffer, 10);
  assert(held(buffer) <= 512, `${held(buffer)}`);
});

Deno.test("ReadBuffer takes each of many messages of the same length in one read", () => {
  for (const length of [100, 256, 1030, 2000, 4096, 5000, 16_390, 65_542]) {
    const buffer = new ReadBuffer();
    for (let i = 0; i < 3; i++) message(buffer, length); // It has to find out.
    for (let i = 0; i < 100; i++) {
      assertEquals(message(buffer, length), 1, `message ${i} of ${length}`);
      assert(held(buffer) <= Math.max(4096, length * 9 / 8 + 1), `${length}`);
    }
  }
});

Deno.test("ReadBuffer waits with a small buffer again after the first small message", () => {
  const buffer = new ReadBuffer();
  for (let i = 0; i < 10; i++) message(buffer, 16_000);
  assertEquals(held(buffer), 18_000);
  message(buffer, 100);
  assert(held(buffer) <= 4096, `${held(buffer)}`);
});

Deno.test("ReadBuffer takes no large buffer for small messages, however they fill it", () => {
  const { random, seed } = generator();
  const buffer = new ReadBuffer();
  const waits = (length: number) => {
    message(buffer, length);
    assert(held(buffer) <= 8000, `${held(buffer)} after ${length}, ${seed}`);
  };
  for (let i = 0; i < 300; i++) for (const n of [326, 159, 27]) waits(n);
  for (let i = 0; i < 5000; i++) waits(random.integer(1, 500));
});

Deno.test("ReadBuffer reads a short message after a long one at once, and a long one after that", () => {
  const buffer = new ReadBuffer();
  for (let i = 0; i < 100; i++) {
    const reads = message(buffer, 3709) + message(buffer, 8);
    if (i > 3) assertEquals(reads, 2);
  }
});

Deno.test("ReadBuffer has room after a read into other memory, even if that was the first", () => {
  const buffer = new ReadBuffer();
  buffer.note(10, true);
  assert(buffer.space().length > 0);
});

Deno.test("ReadBuffer waits with a small buffer after a burst that others' memory took", () => {
  const buffer = new ReadBuffer();
  readMuch(buffer, 2); // Of a long message, the rest of which is read elsewhere ...
  buffer.note(60_000, true);
  buffer.note(10_000, false); // ... up to its end.
  assert(held(buffer) <= 4096, `${held(buffer)}`);
});

Deno.test("ReadBuffer gives small chunks one memory, each byte once", () => {
  const buffer = new ReadBuffer();
  const chunks = Array.from({ length: 200 }, (_, i) => read(buffer, 25, i));
  chunks.forEach((chunk, i) => {
    assertEquals(chunk, new Uint8Array(25).fill(i), `chunk ${i}`);
    assert(chunk.buffer.byteLength <= 4096);
  });
  const memories = new Set(chunks.map((chunk) => chunk.buffer));
  assert(memories.size < 200 / 8, `${memories.size} buffers for 200 chunks`);
});

Deno.test("A kept chunk of a ReadBuffer keeps at most the largest buffer alive, whatever it was part of", () => {
  const buffer = new ReadBuffer();
  for (let i = 0; i < 2000; i++) {
    const chunk = read(buffer, (i * 7919) % 100_000 + 1);
    assert(chunk.buffer.byteLength <= LARGEST);
  }
});

Deno.test("ReadBuffer reads on in the same memory after a read that was given up", () => {
  const buffer = new ReadBuffer();
  const first = buffer.space();
  assertEquals(buffer.space().byteOffset, first.byteOffset);
  assertEquals(read(buffer, 3, 1), new Uint8Array(3).fill(1));
});
