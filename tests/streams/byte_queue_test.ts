import {
  assert,
  assertEquals,
  assertLess,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { ByteQueue } from "../../streams/_byte_queue.ts";
import { generator } from "./_random.ts";
import { bytes } from "./_support.ts";

Deno.test("ByteQueue gives back at every split what it was given at every split", () => {
  const data = bytes(8);
  for (let pushed = 0; pushed <= 8; pushed++) {
    for (let taken = 0; taken <= 8; taken++) {
      const queue = new ByteQueue();
      queue.push(data.subarray(0, pushed));
      queue.push(data.subarray(pushed));
      assertEquals(queue.size, 8);
      assertEquals(queue.take(taken), data.subarray(0, taken));
      assertEquals(queue.size, 8 - taken);
      assertEquals(queue.take(8 - taken), data.subarray(taken));
      assertEquals(queue.size, 0);
      assertEquals(queue.shift(), undefined);
    }
  }
});

Deno.test("ByteQueue refuses bytes whose memory was transferred, and gives no others in their place", () => {
  const takers = [
    (queue: ByteQueue) => queue.shift(),
    (queue: ByteQueue) => queue.take(3),
    (queue: ByteQueue) => queue.take(12),
  ];
  for (const take of takers) {
    const chunk = bytes(10);
    const queue = new ByteQueue();
    queue.push(chunk);
    queue.push(bytes(10));
    assertEquals(queue.take(4), chunk.slice(0, 4));
    structuredClone(chunk, { transfer: [chunk.buffer] });
    assertThrows(() => take(queue), TypeError, "was transferred");
  }
});

Deno.test("ByteQueue does not copy what one chunk holds", () => {
  const queue = new ByteQueue();
  const chunk = bytes(10);
  queue.push(chunk);
  queue.push(chunk);
  assertStrictEquals(queue.take(4).buffer, chunk.buffer);
  assertStrictEquals(queue.shift()?.buffer, chunk.buffer);
  assertStrictEquals(queue.take(10), chunk);
});

Deno.test("ByteQueue copies what several chunks hold, once", () => {
  const queue = new ByteQueue();
  const chunk = bytes(3);
  for (let i = 0; i < 3; i++) queue.push(chunk);
  const all = queue.take(8);
  assertEquals(all.buffer.byteLength, 8);
  assertEquals(all, concat([chunk, chunk, chunk.subarray(0, 2)]));
  assertEquals(queue.take(1), bytes(3).subarray(2));
});

Deno.test("ByteQueue keeps no empty chunk", () => {
  const queue = new ByteQueue();
  for (let i = 0; i < 1000; i++) queue.push(bytes(0));
  assertEquals(queue.size, 0);
  assertEquals(queue.shift(), undefined);
  assertEquals(queue.take(0), bytes(0));
  for (const size of [0, 2, 0, 0, 3, 0]) queue.push(bytes(size));
  assertEquals(queue.shift(), bytes(2));
  assertEquals(queue.shift(), bytes(3));
  assertEquals(queue.shift(), undefined);
});

Deno.test("ByteQueue forgets everything when it is cleared", () => {
  const queue = new ByteQueue();
  for (let i = 0; i < 10; i++) queue.push(bytes(5));
  queue.take(12);
  queue.clear();
  assertEquals(queue.size, 0);
  assertEquals(queue.shift(), undefined);
  queue.push(bytes(2));
  assertEquals(queue.take(2), bytes(2));
});

Deno.test("ByteQueue is a queue of bytes under any sequence of calls", () => {
  const { random, seed } = generator();
  const queue = new ByteQueue();
  let model = bytes(0);
  for (let step = 0; step < 5000; step++) {
    const label = `step ${step}, seed ${seed}`;
    const choice = random.integer(0, 9);
    if (choice < 5) {
      const chunk = random.bytes(random.integer(0, 40));
      queue.push(chunk);
      model = concat([model, chunk]);
    } else if (choice < 9) {
      const count = random.integer(0, model.length);
      assertEquals(queue.take(count), model.subarray(0, count), label);
      model = model.slice(count);
    } else {
      const chunk = queue.shift();
      const size = chunk?.length ?? 0;
      assertEquals(chunk ?? bytes(0), model.slice(0, size), label);
      assert(size > 0 || model.length === 0, label);
      model = model.slice(size);
    }
    assertEquals(queue.size, model.length, label);
  }
});

Deno.test("ByteQueue takes time linear in the number of chunks", () => {
  const chunks = 300_000;
  const started = performance.now();
  const queue = new ByteQueue();
  const one = bytes(1);
  for (let i = 0; i < chunks; i++) queue.push(one);
  for (let i = 0; i < chunks; i++) queue.take(1);
  assertEquals(queue.size, 0);
  // It is a few milliseconds; moving the rest at each take would be minutes.
  assertLess(performance.now() - started, 10_000);
});
