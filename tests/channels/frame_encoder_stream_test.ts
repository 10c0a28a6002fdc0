import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { encodeHex } from "@std/encoding/hex";
import { unzlibSync } from "./_unzlib.ts";
import {
  BufferOverflowError,
  FrameDecoderStream,
  FrameEncoderStream,
} from "@sluice/sluice";
import {
  around,
  frameOf,
  isPending,
  noise,
  reasonOf,
  settle,
  text,
} from "./_support.ts";

async function encode(
  messages: Uint8Array[],
  options?: ConstructorParameters<typeof FrameEncoderStream>[0],
): Promise<Uint8Array> {
  return concat(
    await Array.fromAsync(
      ReadableStream.from(messages)
        .pipeThrough(new FrameEncoderStream(options)),
    ),
  );
}

Deno.test("FrameEncoderStream writes length, flag, payload and newline", async () => {
  const bytes = await encode([new Uint8Array([1, 2, 3]), new Uint8Array(0)]);
  assertEquals(encodeHex(bytes), "00000003000102030a" + "00000000000a");
});

Deno.test("FrameEncoderStream frames messages of every size in order", async () => {
  const messages = around(5, 1024, 63_994, 65_536, 1_048_576)
    .map((size) => noise(size));
  assertEquals(await encode(messages), concat(messages.map((m) => frameOf(m))));
});

Deno.test("FrameEncoderStream gives a short message as one chunk and does not copy a long one", async () => {
  const long = noise(63_995);
  const chunks = await Array.fromAsync(
    ReadableStream.from([noise(63_994), long])
      .pipeThrough(new FrameEncoderStream()),
  );
  assertEquals(chunks.map((c) => c.byteLength), [64_000, 5, 63_995, 1]);
  assertEquals(chunks[2]!.buffer === long.buffer, true);
});

Deno.test("FrameEncoderStream compresses what is longer than the threshold and becomes smaller", async () => {
  const compression = { threshold: 100 };
  const flags: number[] = [];
  for (const message of [text(100), text(101), noise(101)]) {
    const bytes = await encode([message], { compression });
    flags.push(bytes[4]!);
    const payload = bytes.subarray(5, -1);
    assertEquals(bytes[4] ? unzlibSync(payload) : payload, message);
  }
  assertEquals(flags, [0, 1, 0]);
});

Deno.test("FrameEncoderStream and FrameDecoderStream give back what they were given, compressed or not", async () => {
  for (const compression of [false, {}, { level: 1, threshold: 0 }] as const) {
    const messages = around(1024, 63_994, 65_536).flatMap((size) => [
      noise(size),
      text(size),
    ]);
    const back = await Array.fromAsync(
      ReadableStream.from(messages)
        .pipeThrough(new FrameEncoderStream({ compression }))
        .pipeThrough(new FrameDecoderStream()),
    );
    assertEquals(back, messages);
  }
});

Deno.test("FrameEncoderStream takes nothing while nobody reads", async () => {
  const stage = new FrameEncoderStream();
  const writer = stage.writable.getWriter();
  const first = writer.write(new Uint8Array(1));
  const second = writer.write(new Uint8Array(0));
  assertEquals(await isPending(first), true);
  assertEquals(await isPending(second), true);
  const reader = stage.readable.getReader();
  await reader.read();
  await first;
  await reader.read();
  await second;
});

Deno.test("FrameEncoderStream refuses a message that is longer than a frame can be", async () => {
  const message = new Uint8Array(1);
  Object.defineProperty(message, "byteLength", { value: 2 ** 32 });
  const error = await reasonOf(encode([message]));
  assertInstanceOf(error, BufferOverflowError);
  assertEquals([error.size, error.limit], [2 ** 32, 2 ** 32 - 1]);
});

Deno.test("FrameEncoderStream fails at both ends with one error when given what is no message", async () => {
  const stage = new FrameEncoderStream();
  const writer = stage.writable.getWriter();
  const reader = stage.readable.getReader();
  const outcomes = [
    writer.write("text" as unknown as Uint8Array),
    reader.read(),
    writer.closed,
    reader.closed,
  ].map(reasonOf);
  const [reason, ...others] = await Promise.all(outcomes);
  assertEquals(reason instanceof TypeError, true);
  for (const other of others) assertEquals(other === reason, true);
});

Deno.test("FrameEncoderStream passes an abort and a cancel on", async () => {
  const reason = new Error("enough");
  const aborted = new FrameEncoderStream();
  const reading = aborted.readable.getReader().read();
  await Promise.all([
    aborted.writable.abort(reason),
    assertRejects(() => reading, Error, "enough"),
  ]);
  const cancelled = new FrameEncoderStream();
  await cancelled.readable.cancel(reason);
  await settle();
  await assertRejects(
    () => cancelled.writable.getWriter().write(new Uint8Array(1)),
    Error,
    "enough",
  );
});

Deno.test("FrameEncoderStream refuses options out of range", () => {
  for (const level of [-1, 10, 1.5, NaN]) {
    assertThrows(
      () => new FrameEncoderStream({ compression: { level } }),
      RangeError,
      "level must be an integer from 0 to 9",
    );
  }
  assertThrows(
    () => new FrameEncoderStream({ compression: { threshold: -1 } }),
    RangeError,
    "threshold",
  );
});
