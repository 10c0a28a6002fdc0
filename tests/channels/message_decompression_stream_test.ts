import {
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { CompressionError, MessageDecompressionStream } from "@sluice/sluice";
import { around, noise, reasonOf, runDeno, text } from "./_support.ts";

async function inflate(
  data: Uint8Array,
  maxMessageSize?: number,
): Promise<Uint8Array> {
  const stage = new MessageDecompressionStream({ maxMessageSize });
  const [message] = await Array.fromAsync(
    ReadableStream.from([data]).pipeThrough(stage),
  );
  return message!;
}

function zlib(message: Uint8Array, level = 6): Uint8Array {
  return new Uint8Array(deflateSync(message, { level }));
}

Deno.test("MessageDecompressionStream inflates messages of every size and level", async () => {
  for (const size of around(1024, 65_536, 131_072)) {
    for (const message of [text(size), noise(size)]) {
      for (const level of [0, 1, 9]) {
        assertEquals(await inflate(zlib(message, level)), message);
      }
    }
  }
});

Deno.test("MessageDecompressionStream inflates up to the limit and not a byte more", async () => {
  for (const size of [0, 1, 1000, 65_536, 300_000]) {
    assertEquals(await inflate(zlib(text(size)), size), text(size));
    const error = await reasonOf(inflate(zlib(text(size + 1)), size));
    assertInstanceOf(error, CompressionError);
    assertEquals(
      error.message,
      `Cannot inflate message as its length must be <= ${size}`,
    );
  }
});

Deno.test("MessageDecompressionStream refuses data cut short at any byte, even at none", async () => {
  for (const data of [zlib(text(300)), zlib(noise(0)), zlib(noise(50), 0)]) {
    for (let end = 0; end < data.byteLength; end++) {
      const error = await reasonOf(inflate(data.slice(0, end)));
      assertInstanceOf(error, CompressionError, `cut at ${end}`);
    }
  }
});

Deno.test("MessageDecompressionStream refuses bytes after the data", async () => {
  const data = zlib(text(300));
  for (const rest of [new Uint8Array(1), noise(1), noise(5000), data]) {
    const error = await reasonOf(inflate(concat([data, rest])));
    assertInstanceOf(error, CompressionError);
    assertEquals(
      error.message,
      `Cannot inflate message as its data is followed by other bytes: used ${data.byteLength} of ${
        data.byteLength + rest.byteLength
      }`,
    );
  }
});

Deno.test("MessageDecompressionStream gives the message or an error for any bit that is flipped", async () => {
  const message = text(300);
  const data = zlib(message);
  let refused = 0;
  for (let bit = 0; bit < data.byteLength * 8; bit++) {
    const damaged = data.slice();
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    // A few bits of the header carry no meaning; never does other content come out.
    const result = await inflate(damaged).catch((error) => error);
    if (result instanceof CompressionError) refused++;
    else assertEquals(result, message);
  }
  assertLess(data.byteLength * 8 - 10, refused);
});

Deno.test("MessageDecompressionStream takes zlib only, neither gzip nor raw deflate", async () => {
  for (const pack of [gzipSync, deflateRawSync]) {
    const error = await reasonOf(inflate(new Uint8Array(pack(text(100)))));
    assertInstanceOf(error, CompressionError);
    assertInstanceOf(error.cause, Error);
  }
});

Deno.test("MessageDecompressionStream stops at the limit, whatever a bomb would become", async () => {
  const { code, output } = await runDeno(`
    import { deflateSync } from "node:zlib";
    import { MessageDecompressionStream } from "@root/mod.ts";
    const bomb = deflateSync(new Uint8Array(256 << 20), { level: 9 });
    const before = Deno.memoryUsage().rss;
    const stage = new MessageDecompressionStream({ maxMessageSize: 1 << 20 });
    const message = await Array.fromAsync(
      ReadableStream.from([new Uint8Array(bomb)]).pipeThrough(stage),
    ).catch((error) => error.message);
    console.log(message, "grown", Deno.memoryUsage().rss - before);
  `);
  assertEquals(code, 0, output);
  const [, message, grown] = output.match(/(.*) grown (-?\d+)/)!;
  assertEquals(
    message,
    "Cannot inflate message as its length must be <= 1048576",
  );
  assertLess(Number(grown), 16 << 20);
});

Deno.test("MessageDecompressionStream fails all four promises with one error", async () => {
  const stage = new MessageDecompressionStream();
  const writer = stage.writable.getWriter();
  const reader = stage.readable.getReader();
  const outcomes = [
    writer.write(noise(10)),
    writer.closed,
    reader.read(),
    reader.closed,
  ];
  const [reason, ...others] = await Promise.all(outcomes.map(reasonOf));
  assertInstanceOf(reason, CompressionError);
  for (const other of others) assertStrictEquals(other, reason);
});

Deno.test("MessageDecompressionStream refuses a limit that is no length, and what is no message", async () => {
  for (const maxMessageSize of [-1, 1.5, NaN]) {
    assertThrows(
      () => new MessageDecompressionStream({ maxMessageSize }),
      RangeError,
    );
  }
  assertInstanceOf(
    await reasonOf(inflate("text" as unknown as Uint8Array)),
    TypeError,
  );
});
