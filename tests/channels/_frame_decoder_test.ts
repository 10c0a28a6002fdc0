import { assert, assertEquals, assertLess } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { FrameBatch } from "../../channels/_frame_batch.ts";
import { FrameDecoder } from "../../channels/_frame_decoder.ts";
import { frameOf, noise, randomOf, seed } from "./_support.ts";

/** Decodes `wire` as a transport does that reads into lent memory where there is some. */
function decodeLent(
  wire: Uint8Array,
  decoder: FrameDecoder,
  size: () => number,
): { messages: Uint8Array[]; lent: number } {
  const messages: Uint8Array[] = [];
  let lent = 0;
  for (let at = 0; at < wire.byteLength;) {
    const memory = decoder.lend();
    const space = memory?.byteLength ?? Infinity;
    const part = wire.subarray(at, at + Math.min(space, Math.max(1, size())));
    let chunk = part.slice();
    if (memory) {
      memory.set(part);
      chunk = memory.subarray(0, part.byteLength) as Uint8Array<ArrayBuffer>;
      lent += part.byteLength;
    }
    at += part.byteLength;
    const batch = new FrameBatch();
    decoder.decode(chunk, batch);
    while (batch.size > 0) messages.push(batch.take());
  }
  decoder.end();
  return { messages, lent };
}

Deno.test("FrameDecoder puts payloads together that were read into memory that it lent", () => {
  const random = randomOf(seed());
  for (let round = 0; round < 60; round++) {
    const messages = Array.from(
      { length: 20 },
      () => noise(Math.floor(random() ** 4 * 200_000)),
    );
    const wire = concat(messages.map((message) => frameOf(message)));
    const most = 10 ** (1 + random() * 5);
    const decoded = decodeLent(
      wire,
      new FrameDecoder(200_000),
      () => Math.floor(random() * most),
    );
    assertEquals(decoded.messages, messages);
  }
});

Deno.test("FrameDecoder lends memory for nearly all of a large payload", () => {
  const messages = [noise(1 << 20), noise(3 << 20), noise(1 << 20)];
  const wire = concat(messages.map((message) => frameOf(message)));
  const decoded = decodeLent(wire, new FrameDecoder(4 << 20), () => 65_536);
  assertEquals(decoded.messages, messages);
  assertLess(wire.byteLength * 0.9, decoded.lent);
});

Deno.test("FrameDecoder never holds much more than has arrived of a payload", () => {
  const decoder = new FrameDecoder(2 ** 32 - 1);
  const header = frameOf(noise(0), { length: 2 ** 32 - 1 }).slice(0, 5);
  let arrived = 0;
  for (
    let chunk = header;
    arrived < 2_000_000;
    chunk = noise(1 << 14).slice()
  ) {
    decoder.decode(chunk, new FrameBatch());
    arrived += chunk.byteLength;
    const memory = decoder.lend();
    assert(memory);
    assertLess(memory.buffer.byteLength, Math.max(2048, arrived * 17));
  }
});

Deno.test("FrameDecoder lends nothing between messages, nor for short ones", () => {
  const decoder = new FrameDecoder(1 << 20);
  assertEquals(decoder.lend(), undefined);
  decoder.decode(frameOf(noise(4000)).slice(0, 100), new FrameBatch());
  assertEquals(decoder.lend(), undefined);
  decoder.decode(frameOf(noise(4000)).slice(100), new FrameBatch());
  assertEquals(decoder.lend(), undefined);
});
