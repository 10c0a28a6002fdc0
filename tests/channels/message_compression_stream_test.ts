import {
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertThrows,
} from "@std/assert";
import {
  MessageCompressionStream,
  MessageDecompressionStream,
} from "@sluice/sluice";
import { unzlibSync } from "./_unzlib.ts";
import { around, isPending, noise, reasonOf, text } from "./_support.ts";

function compress(
  messages: Uint8Array[],
  level?: number,
): Promise<Uint8Array[]> {
  return Array.fromAsync(
    ReadableStream.from(messages)
      .pipeThrough(new MessageCompressionStream({ level })),
  );
}

Deno.test("MessageCompressionStream makes each message one zlib stream at every level", async () => {
  const messages = around(5, 1024, 65_536).flatMap((size) => [
    text(size),
    noise(size),
  ]);
  for (let level = 0; level <= 9; level++) {
    const data = await compress(messages, level);
    assertEquals(data.map(unzlibSync), messages);
    // RFC 1950: the header states the level roughly, and divides by 31.
    const hint = level < 2 ? 0 : level < 6 ? 1 : level === 6 ? 2 : 3;
    for (const [cmf, flg] of data) {
      assertEquals(cmf! & 15, 8);
      assertEquals((cmf! << 8 | flg!) % 31, 0);
      assertEquals(flg! >> 6, hint);
    }
  }
});

Deno.test("MessageCompressionStream compresses as its level says, 6 by default", async () => {
  const message = new Uint8Array(await (await fetch(import.meta.url)).bytes());
  const sizes: number[] = [];
  for (const level of [0, 1, 6]) {
    sizes.push((await compress([message], level))[0]!.byteLength);
  }
  assertEquals(sizes, sizes.toSorted((a, b) => b - a));
  assertLess(message.byteLength, sizes[0]!);
  assertLess(sizes[1]!, message.byteLength);
  assertEquals((await compress([message]))[0]!.byteLength, sizes[2]);
});

Deno.test("MessageCompressionStream and MessageDecompressionStream keep messages apart and in order", async () => {
  const messages = [text(10_000), noise(0), noise(3), text(10_000), noise(0)];
  const back = await Array.fromAsync(
    ReadableStream.from(messages)
      .pipeThrough(new MessageCompressionStream())
      .pipeThrough(new MessageDecompressionStream()),
  );
  assertEquals(back, messages);
});

Deno.test("MessageCompressionStream compresses nothing while nobody reads", async () => {
  const stage = new MessageCompressionStream();
  const writing = stage.writable.getWriter().write(text(1));
  assertEquals(await isPending(writing), true);
  await stage.readable.cancel();
  await writing.catch(() => {});
});

Deno.test("MessageCompressionStream refuses what is no message, and a level out of range", async () => {
  const stage = new MessageCompressionStream();
  const reading = stage.readable.getReader().read();
  stage.writable.getWriter().write([1, 2] as unknown as Uint8Array)
    .catch(() => {});
  assertInstanceOf(await reasonOf(reading), TypeError);
  for (const level of [-1, 10, 0.5, NaN]) {
    assertThrows(() => new MessageCompressionStream({ level }), RangeError);
  }
});
