import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { deflateSync } from "node:zlib";
import {
  BufferOverflowError,
  Channel,
  type ChannelOptions,
  CompressedChannel,
  CompressionError,
  type CompressionOptions,
} from "@sluice/sluice";
import { unzlibSync } from "./_unzlib.ts";
import {
  bareEnds,
  frameOf,
  manualPair,
  memoryEnds,
  noise,
  pairOf,
  reasonOf,
  runDeno,
  text,
} from "./_support.ts";

/** The one frame that a message is sent as: its flag and payload. */
async function sent(
  message: Uint8Array,
  options?: ChannelOptions & CompressionOptions,
  send?: { compress?: boolean },
): Promise<{ flag: number; payload: Uint8Array }> {
  const pair = manualPair();
  const channel = new CompressedChannel(pair, options);
  await channel.send(message, send);
  await channel.flush();
  channel.abort();
  const wire = concat(pair.written);
  return { flag: wire[4]!, payload: wire.subarray(5, -1) };
}

function zlib(message: Uint8Array, level = 6): Uint8Array {
  return new Uint8Array(deflateSync(message, { level }));
}

Deno.test("CompressedChannel sends zlib data that any channel understands, at every level", async () => {
  for (let level = 0; level <= 9; level++) {
    const { near, far } = memoryEnds();
    const one = new CompressedChannel(near, { level, threshold: 10 });
    const other = new Channel(far);
    for (const message of [text(11), text(5000), noise(5000), text(300_000)]) {
      const sending = one.send(message);
      assertEquals(await other.recv(), message);
      await sending;
    }
    const total = 11 + 10_000 + 300_000;
    if (level > 0) assertLess(other.stats.bytesReceived, 20_000);
    else assertLess(total, other.stats.bytesReceived);
    await Promise.all([one.close(), other.close()]);
  }
});

Deno.test("CompressedChannel uses its level, 6 by default", async () => {
  const message = new TextEncoder().encode(
    Array.from({ length: 2000 }, (_, n) => `${n * n % 997} `).join(""),
  );
  for (const level of [undefined, 1, 9]) {
    const { payload } = await sent(message, { level });
    assertEquals(payload, zlib(message, level ?? 6));
    assertEquals(unzlibSync(payload), message);
  }
});

Deno.test("CompressedChannel compresses messages that are longer than the threshold, 3000 by default", async () => {
  const cases: [number, number | undefined, number][] = [
    [3000, undefined, 0],
    [3001, undefined, 1],
    [100, 100, 0],
    [101, 100, 1],
    [0, 0, 0],
  ];
  for (const [size, threshold, flag] of cases) {
    const frame = await sent(text(size), { threshold });
    assertEquals(frame.flag, flag, `${size} bytes`);
    assertEquals(
      flag ? unzlibSync(frame.payload) : frame.payload,
      text(size),
    );
  }
});

Deno.test("CompressedChannel sends a message as it is if zlib does not make it smaller", async () => {
  for (const size of [1, 3001, 100_000, 300_000]) {
    const { flag, payload } = await sent(noise(size), { threshold: 0 });
    assertEquals(flag, 0);
    assertEquals(payload, noise(size));
  }
  // Level 0 never makes anything smaller.
  assertEquals((await sent(text(5000), { level: 0 })).flag, 0);
});

Deno.test("CompressedChannel follows what send() says about one message", async () => {
  assertEquals((await sent(text(5000), {}, { compress: false })).flag, 0);
  assertEquals((await sent(text(5000), {}, { compress: true })).flag, 1);
  assertEquals((await sent(text(50), {}, { compress: true })).flag, 0);
  const pair = manualPair();
  const plain = new Channel(pair);
  await plain.send(text(5000), { compress: true });
  await plain.flush();
  assertEquals(pair.written[0]![4], 1);
  plain.abort();
});

Deno.test("CompressedChannel is a preset of compression, and takes the other options", async () => {
  const compression = { level: 1, threshold: 10 };
  const both = await sent(text(500), { compression });
  assertEquals(both.payload, zlib(text(500), 1));
  const over = await sent(text(500), { compression, level: 9 });
  assertEquals(over.payload, zlib(text(500), 9));
  const preset = await sent(text(5000), { compression: false });
  assertEquals(preset.flag, 1); // It is what it is called.
  const { near } = bareEnds();
  await using channel = new CompressedChannel(near, { maxMessageSize: 10 });
  assertInstanceOf(await reasonOf(channel.send(text(11))), BufferOverflowError);
  channel.abort();
});

Deno.test("CompressedChannel refuses options out of range", () => {
  for (const options of [{ level: -1 }, { level: 10 }, { threshold: -1 }]) {
    const { near } = bareEnds();
    assertThrows(() => new CompressedChannel(near, options), RangeError);
    assert(!near.readable.locked);
  }
});

Deno.test("Channel inflates up to maxMessageSize and not a byte more", async () => {
  for (const size of [1, 1000, 100_000]) {
    const channel = new Channel(
      pairOf([
        frameOf(zlib(text(size)), { flag: 1 }),
        frameOf(zlib(text(size + 1)), { flag: 1 }),
      ]),
      { maxMessageSize: size },
    );
    assertEquals(await channel.recv(), text(size));
    await assertRejects(
      () => channel.recv(),
      CompressionError,
      `Cannot inflate message as its length must be <= ${size}`,
    );
  }
});

Deno.test("Channel refuses zlib data that is cut short, damaged or followed by other bytes", async () => {
  const data = zlib(text(500));
  const damaged = data.slice();
  damaged[data.byteLength - 1]! ^= 1; // Its checksum.
  const faults = [
    data.slice(0, -1),
    data.slice(0, 5),
    noise(0),
    damaged,
    noise(100),
    concat([data, noise(1)]),
    concat([data, data]),
  ];
  for (const fault of faults) {
    const channel = new Channel(
      pairOf([frameOf(fault, { flag: 1 }), frameOf(text(3))]),
    );
    const reason = await reasonOf(channel.recv());
    assertInstanceOf(reason, CompressionError);
    // What is delivered is a prefix of what was sent.
    assertStrictEquals(await reasonOf(channel.recv()), reason);
    assertStrictEquals(await reasonOf(channel.send(noise(1))), reason);
    assertEquals(channel.stats.messagesReceived, 0);
  }
});

Deno.test("Channel gives out inflated messages in little more memory than they take", async () => {
  for (const size of [1, 1000, 33_000, 100_000, 1 << 20]) {
    const data = zlib(noise(size)); // Not smaller, of which zlib expects four times as much.
    const channel = new Channel(pairOf([frameOf(data, { flag: 1 })]));
    const message = await channel.recv();
    assertEquals(message, noise(size));
    assertLess(message!.buffer.byteLength, size + 65_537);
  }
});

Deno.test("Channel refuses zlib data far over the limit at the header", async () => {
  const size = 1000 + 100; // zlib adds less than that to 1000 bytes.
  const channel = new Channel(
    pairOf([frameOf(noise(0), { flag: 1, length: size }).slice(0, 5)]),
    { maxMessageSize: 1000 },
  );
  await assertRejects(() => channel.recv(), BufferOverflowError);
});

Deno.test("Channel stops a bomb at its limit, whatever it would become", async () => {
  const { code, output } = await runDeno(`
    import { deflateSync } from "node:zlib";
    import { Channel } from "@root/mod.ts";
    const bomb = new Uint8Array(deflateSync(new Uint8Array(256 << 20), { level: 9 }));
    const frame = new Uint8Array(bomb.length + 6);
    new DataView(frame.buffer).setUint32(0, bomb.length);
    frame[4] = 1;
    frame.set(bomb, 5);
    const before = Deno.memoryUsage().rss;
    const channel = new Channel({
      readable: ReadableStream.from([frame]),
      writable: new WritableStream(),
    }, { maxMessageSize: 1 << 20 });
    const error = await channel.recv().catch((error) => error);
    console.log(error.name, "grown", Deno.memoryUsage().rss - before);
  `);
  assertEquals(code, 0, output);
  const [, name, grown] = output.match(/(.*) grown (-?\d+)/)!;
  assertEquals(name, "CompressionError");
  assertLess(Number(grown), 16 << 20);
});
