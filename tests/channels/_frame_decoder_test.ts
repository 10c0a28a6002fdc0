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
): { messages: Uint8Array[]; lent: number; loans: number[] } {
  const messages: Uint8Array[] = [];
  const loans: number[] = [];
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
      loans.push(memory.buffer.byteLength);
    }
    at += part.byteLength;
    const batch = new FrameBatch();
    decoder.decode(chunk, batch);
    while (batch.size > 0) messages.push(batch.take());
  }
  decoder.end();
  return { messages, lent, loans };
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
  decoder.decode(frameOf(noise(2000)).slice(0, 100), new FrameBatch());
  assertEquals(decoder.lend(), undefined);
  decoder.decode(frameOf(noise(2000)).slice(100), new FrameBatch());
  assertEquals(decoder.lend(), undefined);
});

Deno.test("FrameDecoder lends memory for as many frames as one of them may keep alive, while it is filled", () => {
  for (const length of [2048, 16_384, 32_768, 40_000, 65_536, 1_048_576]) {
    const wire = concat(new Array(200).fill(frameOf(noise(length))));
    const count = Math.floor((65_536 + length) / (length + 6));
    const { messages, loans } = decodeLent(
      wire,
      new FrameDecoder(length),
      () => Infinity,
    );
    // A transport that has all of it begins with a chunk of its own.
    assertEquals(messages.length, 200);
    assertEquals(loans, []);

    let first = true;
    const filled = decodeLent(wire, new FrameDecoder(length), () => {
      const size = first ? 3 * length : Infinity;
      first = false;
      return size;
    });
    assertEquals(filled.messages.length, 200);
    // For twice as many frames each time, until those are as many as may be.
    const expected: number[] = [];
    for (let left = 198, frames = 1; left > 0; frames *= 2) {
      frames = Math.min(frames, count);
      expected.push(frames * (length + 6));
      left -= frames;
    }
    assertEquals(filled.loans, expected);
    for (const message of filled.messages) {
      const { byteLength } = message.buffer;
      assert(byteLength <= Math.max(3 * length, length + 65_536));
    }
  }
});

Deno.test("FrameDecoder lends memory for one frame while no read reaches the next", () => {
  const frame = frameOf(noise(10_000));
  const decoder = new FrameDecoder(10_000);
  decoder.decode(frame.slice(), new FrameBatch()); // A peer that has sent something.
  for (let i = 0; i < 50; i++) {
    const batch = new FrameBatch();
    decoder.decode(frame.slice(0, 100), batch);
    const memory = decoder.lend()!;
    assertEquals(memory.buffer.byteLength, 10_006);
    memory.set(frame.subarray(100));
    decoder.decode(memory.subarray(0, frame.byteLength - 100), batch);
    assertEquals(batch.take(), noise(10_000));
  }
});

Deno.test("FrameDecoder hands out no payload that keeps much more memory than it fills", () => {
  const random = randomOf(seed());
  for (const length of [2048, 8192, 32_768]) {
    const wire = concat(new Array(2000).fill(frameOf(noise(length))));
    const frame = length + 6;
    // Bursts of a few frames: what is lent for more is not filled.
    let cut = 3 * length;
    const { messages } = decodeLent(wire, new FrameDecoder(length), () => {
      const size = cut + Math.ceil(random() * 4) * frame;
      cut = 0;
      return size;
    });
    const buffers = new Set(messages.map(({ buffer }) => buffer));
    let memory = 0;
    for (const { byteLength } of buffers) memory += byteLength;
    assertLess(memory, 4 * messages.length * length);
  }
});

Deno.test("FrameDecoder copies a short message out of a large buffer, and not out of a small one", () => {
  for (const [size, shared] of [[8192, true], [8193, false]] as const) {
    const chunk = new Uint8Array(size).subarray(0, 106);
    chunk.set(frameOf(noise(100)));
    const batch = new FrameBatch();
    new FrameDecoder(1000).decode(chunk, batch);
    const message = batch.take();
    assertEquals(message, noise(100));
    assertEquals(message.buffer === chunk.buffer, shared, `${size}`);
    assertLess(message.buffer.byteLength, 8193);
  }
});

Deno.test("FrameDecoder takes memory at once for a payload no longer than one before, and for 16 MiB at most", () => {
  for (const [length, atOnce] of [[8 << 20, 8 << 20], [20 << 20, 16 << 20]]) {
    const frame = frameOf(noise(length!));
    const decoder = new FrameDecoder(length!);
    decodeLent(frame, decoder, () => 65_536);
    decoder.decode(frame.slice(0, 5), new FrameBatch()); // No more than a claim.
    assertEquals(decoder.lend()?.buffer.byteLength, atOnce! + 6);
  }
});
