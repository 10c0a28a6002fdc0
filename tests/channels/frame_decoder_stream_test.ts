import {
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { deflateSync } from "node:zlib";
import {
  BufferOverflowError,
  CompressionError,
  ConnectionLostError,
  FrameDecoderStream,
} from "@sluice/sluice";
import {
  around,
  cut,
  frameOf,
  isPending,
  noise,
  randomOf,
  reasonOf,
  runDeno,
  seed,
  text,
} from "./_support.ts";

/** What comes out until the end, and the error if that was one. */
async function decode(
  chunks: Iterable<Uint8Array>,
  options?: ConstructorParameters<typeof FrameDecoderStream>[0],
): Promise<{ messages: Uint8Array[]; error?: unknown }> {
  const messages: Uint8Array[] = [];
  try {
    const stage = new FrameDecoderStream(options);
    const out = ReadableStream.from(chunks).pipeThrough(stage);
    for await (const message of out) messages.push(message);
    return { messages };
  } catch (error) {
    return { messages, error };
  }
}

function zlib(message: Uint8Array): Uint8Array {
  return new Uint8Array(deflateSync(message));
}

const SIZES = around(5, 1024, 8192, 63_994, 65_536);

Deno.test("FrameDecoderStream gives back messages of every size, whole or byte by byte", async () => {
  for (const size of SIZES) {
    const messages = [noise(3), noise(size), noise(0), noise(size, 2)];
    const wire = concat(messages.map((m) => frameOf(m)));
    const step = size < 20_000 ? 1 : 997; // Byte by byte takes its time.
    for (const chunks of [[wire], cut(wire, step), cut(wire, 1007)]) {
      assertEquals(await decode(chunks), { messages });
    }
  }
});

Deno.test("FrameDecoderStream puts a frame together that is split at any place of header and trailer", async () => {
  for (const size of [0, 1, 1024, 63_994]) {
    const messages = [noise(size), noise(size, 2)];
    const wire = concat(messages.map((m) => frameOf(m)));
    const half = wire.byteLength / 2;
    for (let at = half - 8; at < half + 8; at++) {
      if (at < 0 || at > wire.byteLength) continue;
      const chunks = [wire.slice(0, at), new Uint8Array(0), wire.slice(at)];
      assertEquals(await decode(chunks), { messages }, `${size} at ${at}`);
    }
  }
});

Deno.test("FrameDecoderStream gives back messages from chunks cut at random", async () => {
  const random = randomOf(seed());
  const pick = (n: number) => Math.floor(random() ** 4 * n);
  for (let round = 0; round < 40; round++) {
    const messages = Array.from(
      { length: 30 },
      (_, i) => (i % 3 ? noise : text)(pick(20_000)),
    );
    const wire = concat(
      messages.map((m, i) =>
        i % 5 ? frameOf(m) : frameOf(zlib(m), { flag: 1 + pick(255) })
      ),
    );
    const chunks = cut(wire, () => pick(30_000));
    assertEquals(await decode(chunks), { messages });
  }
});

Deno.test("FrameDecoderStream does not let messages share memory that is written again", async () => {
  const wire = concat([frameOf(noise(100)), frameOf(noise(100, 2))]);
  const { messages } = await decode([wire]);
  messages[0]!.fill(0);
  assertEquals(messages[1], noise(100, 2));
});

Deno.test("FrameDecoderStream takes any flag but 0 for zlib and any last byte, as RPyC does", async () => {
  const message = text(500);
  for (const flag of [1, 2, 0x80, 0xff]) {
    const frame = frameOf(zlib(message), { flag, trailer: flag });
    assertEquals(await decode([frame, frameOf(message, { trailer: 0 })]), {
      messages: [message, message],
    });
  }
});

Deno.test("FrameDecoderStream refuses a length over the limit at its header, before the payload", async () => {
  const stage = new FrameDecoderStream({ maxMessageSize: 1000 });
  const writer = stage.writable.getWriter();
  const reader = stage.readable.getReader();
  const reading = reader.read();
  const header = frameOf(new Uint8Array(0), { length: 1001 }).slice(0, 5);
  const outcomes = [
    writer.write(header),
    reading,
    writer.closed,
    reader.closed,
  ];
  const [reason, ...others] = await Promise.all(outcomes.map(reasonOf));
  assertInstanceOf(reason, BufferOverflowError);
  assertEquals(reason.size, 1001);
  assertEquals(reason.limit, 1000);
  assertEquals(
    reason.message,
    "Cannot receive message as its length must be <= 1000: current length is 1001",
  );
  for (const other of others) assertStrictEquals(other, reason);
});

Deno.test("FrameDecoderStream refuses a length over the limit wherever its header is split", async () => {
  const header = frameOf(noise(0), { length: 1001 }).slice(0, 5);
  const before = frameOf(noise(3));
  for (let at = 0; at <= 5; at++) {
    const chunks = [concat([before, header.slice(0, at)]), header.slice(at)];
    const { messages, error } = await decode(chunks, { maxMessageSize: 1000 });
    assertEquals(messages, [noise(3)]);
    assertInstanceOf(error, BufferOverflowError);
  }
});

Deno.test("FrameDecoderStream takes a message of exactly the limit", async () => {
  const messages = [noise(1000)];
  const chunks = [frameOf(messages[0]!)];
  assertEquals(await decode(chunks, { maxMessageSize: 1000 }), { messages });
});

Deno.test("FrameDecoderStream takes zlib data that is larger than a message at the limit", async () => {
  const message = noise(1000);
  const data = zlib(message);
  assertLess(1000, data.byteLength);
  const chunks = [frameOf(data, { flag: 1 })];
  assertEquals(await decode(chunks, { maxMessageSize: 1000 }), {
    messages: [message],
  });
});

Deno.test("FrameDecoderStream gives out what was whole before a fault in the same chunk", async () => {
  const sound = [noise(10), noise(0), noise(20)];
  const frames = concat(sound.map((m) => frameOf(m)));
  const faults: [Uint8Array, new () => Error][] = [
    [frameOf(noise(0), { length: 0xffffffff }), BufferOverflowError],
    [frameOf(noise(10), { flag: 1 }), CompressionError],
    [frameOf(noise(10)).slice(0, 12), ConnectionLostError],
  ];
  for (const [fault, type] of faults) {
    const { messages, error } = await decode([concat([frames, fault])]);
    assertEquals(messages, sound);
    assertInstanceOf(error, type);
  }
});

Deno.test("FrameDecoderStream tells how much was missing at an end inside a frame", async () => {
  const frame = frameOf(noise(10));
  for (let at = 1; at < frame.byteLength; at++) {
    const { error } = await decode([frame.slice(0, at)]);
    assertInstanceOf(error, ConnectionLostError);
    assertEquals(error.received, at);
    assertEquals(error.expected, at < 5 ? 5 : 16);
  }
});

Deno.test("FrameDecoderStream fails the writable end when a message cannot be inflated", async () => {
  const stage = new FrameDecoderStream();
  const writer = stage.writable.getWriter();
  const reader = stage.readable.getReader();
  writer.write(frameOf(noise(10), { flag: 1 })).catch(() => {});
  const outcomes = [reader.read(), reader.closed, writer.closed];
  const [reason, ...others] = await Promise.all(outcomes.map(reasonOf));
  assertInstanceOf(reason, CompressionError);
  for (const other of others) assertStrictEquals(other, reason);
});

Deno.test("FrameDecoderStream inflates a message no earlier than it is read", async () => {
  const bomb = zlib(new Uint8Array(1 << 20));
  const wire = concat([
    frameOf(noise(1)),
    ...Array.from({ length: 100 }, () => frameOf(bomb, { flag: 1 })),
  ]);
  const stage = new FrameDecoderStream();
  const writer = stage.writable.getWriter();
  const written = writer.write(wire);
  const reader = stage.readable.getReader();
  const before = Deno.memoryUsage().external;
  assertEquals((await reader.read()).value, noise(1));
  await written;
  await isPending(reader.closed);
  assertLess(Deno.memoryUsage().external - before, 10 << 20);
  await reader.cancel();
});

Deno.test("FrameDecoderStream takes no more than a chunk while nobody reads", async () => {
  const stage = new FrameDecoderStream();
  const writer = stage.writable.getWriter();
  const first = writer.write(frameOf(noise(1)));
  assertEquals(await isPending(first), true);
  const reader = stage.readable.getReader();
  await reader.read();
  await first;
  const second = writer.write(frameOf(noise(2)));
  assertEquals(await isPending(second), true);
  await reader.read();
  await second;
});

Deno.test("FrameDecoderStream refuses chunks that are no bytes", async () => {
  const stage = new FrameDecoderStream();
  const reading = stage.readable.getReader().read();
  stage.writable.getWriter().write("text" as unknown as Uint8Array)
    .catch(() => {});
  assertInstanceOf(await reasonOf(reading), TypeError);
});

Deno.test("FrameDecoderStream refuses a limit that is no length", () => {
  for (const maxMessageSize of [-1, 1.5, NaN, 2 ** 32, Infinity]) {
    assertThrows(
      () => new FrameDecoderStream({ maxMessageSize }),
      RangeError,
      "Cannot use maxMessageSize",
    );
  }
});

Deno.test("FrameDecoderStream allocates nothing for a length that is merely claimed", async () => {
  const { code, output } = await runDeno(`
    import { FrameDecoderStream } from "@root/mod.ts";
    const before = Deno.memoryUsage().external;
    const stages = [];
    for (let i = 0; i < 100; i++) {
      const stage = new FrameDecoderStream({ maxMessageSize: 0xffffffff });
      stage.readable.getReader().read();
      // 4 GiB less one byte, and ten bytes of it.
      const head = new Uint8Array([255, 255, 255, 255, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      await stage.writable.getWriter().write(head);
      stages.push(stage);
    }
    console.log("grown", Deno.memoryUsage().external - before);
    Deno.exit();
  `);
  assertEquals(code, 0, output);
  assertLess(Number(output.match(/grown (\d+)/)![1]), 1 << 20);
});

Deno.test("FrameDecoderStream takes a million chunks of one byte in linear time and bounded memory", async () => {
  const { code, output } = await runDeno(`
    import { FrameDecoderStream } from "@root/mod.ts";
    async function time(size) {
      const head = new Uint8Array(5);
      new DataView(head.buffer).setUint32(0, size);
      let at = 0;
      const source = new ReadableStream({
        pull(controller) {
          if (at === size + 6) return controller.close();
          if (at % 100_000 === 0) peak = Math.max(peak, Deno.memoryUsage().external);
          for (let i = 0; i < 1000 && at < size + 6; i++, at++) {
            controller.enqueue(new Uint8Array([at < 5 ? head[at] : at & 255]));
          }
        },
      }, { highWaterMark: 0 });
      const start = performance.now();
      let peak = 0;
      const before = Deno.memoryUsage().external;
      const messages = await Array.fromAsync(source.pipeThrough(new FrameDecoderStream()));
      if (messages.length !== 1 || messages[0].length !== size) throw new Error("not whole");
      for (let i = 0; i < size; i++) if (messages[0][i] !== (i + 5 & 255)) throw new Error("not equal");
      return [performance.now() - start, peak - before];
    }
    async function best(size) {
      const rounds = [];
      for (let round = 0; round < 3; round++) rounds.push(await time(size));
      const [times, peaks] = [0, 1].map((of) => rounds.map((round) => round[of]));
      return [Math.min(...times), Math.max(...peaks)];
    }
    await time(10_000);
    const [short] = await best(100_000);
    const [long, grown] = await best(1_000_000);
    console.log("result", (long / short).toFixed(2), grown);
  `);
  assertEquals(code, 0, output);
  const [, ratio, grown] = output.match(/result (\S+) (\S+)/)!;
  assertLess(Number(ratio), 50); // Ten is linear, a hundred quadratic.
  assertLess(Number(grown), 32 << 20);
});
