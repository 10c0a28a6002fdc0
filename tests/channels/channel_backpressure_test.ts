import { assert, assertEquals, assertLess } from "@std/assert";
import { Channel, type ChannelOptions } from "@sluice/sluice";
import {
  channelsOver,
  frameOf,
  isPending,
  JOINTS,
  manualPair,
  noise,
  settle,
} from "./_support.ts";

const KINDS: Record<string, ChannelOptions> = {
  plain: {},
  batching: { batching: {} },
};

/** Sends until a `send()` waits; how many were accepted, and the one that waits. */
async function sendUntilFull(
  channel: Channel,
  size: number,
): Promise<{ accepted: number; waiting: Promise<void> }> {
  const message = noise(size);
  for (let accepted = 0; accepted < 1_000_000; accepted++) {
    const waiting = channel.send(message);
    let settled = false;
    waiting.then(() => settled = true, () => settled = true);
    await Promise.resolve();
    if (settled) continue;
    await settle();
    if (!settled) return { accepted, waiting };
  }
  throw new Error("send() never waited");
}

for (const [kind, options] of Object.entries(KINDS)) {
  for (const size of [0, 1, 1000, 50_000]) {
    Deno.test(`Channel, ${kind}, makes send() of ${size} bytes wait when the stream takes nothing`, async () => {
      const stuck = manualPair({ write: () => new Promise(() => {}) });
      const channel = new Channel(stuck, {
        ...options,
        highWaterMark: 100_000,
      });
      const { accepted, waiting } = await sendUntilFull(channel, size);
      // One chunk is under way, stages hold one each, and the last message may go beyond.
      const bytes = accepted * (size + 6);
      assertLess(100_000 - 1, bytes);
      assertLess(bytes, 100_000 + 3 * 131_072 + size);
      assert(channel.stats.queuedBytes <= 100_000 + size + 6);
      channel.abort(new Error("done"));
      await waiting.catch(() => {});
    });
  }
}

Deno.test("Channel lets a waiting send() go on as soon as there is room", async () => {
  let release = () => {};
  const pair = manualPair({
    write: () => new Promise((resolve) => release = resolve),
  });
  const channel = new Channel(pair, { highWaterMark: 1000 });
  const { waiting } = await sendUntilFull(channel, 600);
  release();
  assertEquals(await isPending(waiting), false);
  await waiting;
  channel.abort();
});

for (const [joint, ends] of Object.entries(JOINTS)) {
  Deno.test(`Channel makes send() wait for a peer that does not read, over ${joint}`, async () => {
    await using channels = await channelsOver(ends(), {
      highWaterMark: 65_536,
    });
    const { near, far } = channels;
    let sent = 0;
    let stop = false;
    const sending = (async () => {
      while (!stop) {
        await near.send(noise(10_000));
        sent++;
      }
    })();
    // It has stopped when nothing more is accepted for a while.
    for (let before = -1; before !== sent;) {
      before = sent;
      for (let turn = 0; turn < 20; turn++) await settle();
    }
    // Both channels, and the socket buffers between (TCP: some MB).
    assertLess(sent * 10_006, joint === "TCP" ? 16 << 20 : 600_000);
    assertLess(near.stats.queuedBytes, 65_536 + 10_006);
    stop = true;
    for (let n = 0; n < sent; n++) await far.recv();
    await sending;
  });
}

for (const size of [0, 1, 100, 20_000]) {
  Deno.test(`Channel stops reading when ${size}-byte messages are not received`, async () => {
    const pair = manualPair();
    const channel = new Channel(pair, { highWaterMark: 50_000 });
    await settle();
    const perChunk = Math.max(1, Math.floor(10_000 / (size + 6)));
    const chunk = new Uint8Array(perChunk * (size + 6));
    for (let n = 0; n < perChunk; n++) {
      chunk.set(frameOf(noise(size)), n * (size + 6));
    }
    let given = 0;
    for (let pulls = pair.pulls - 1; pulls !== pair.pulls && given < 1000;) {
      pulls = pair.pulls;
      pair.source.enqueue(chunk.slice());
      await settle();
      given++;
    }
    assertLess(given * chunk.byteLength, 50_000 + chunk.byteLength);
    assertLess(50_000 - chunk.byteLength, given * chunk.byteLength);
    const { pulls } = pair;
    for (let n = 0; n < given * perChunk; n++) await channel.recv();
    await settle();
    assertLess(pulls, pair.pulls); // It reads again.
    await channel.close();
  });
}

Deno.test("Channel counts a message that came in many chunks with all its bytes", async () => {
  const pair = manualPair();
  const channel = new Channel(pair, { highWaterMark: 50_000 });
  await settle();
  // The last byte of each message comes alone: that chunk is not all it costs.
  const frame = frameOf(noise(30_000));
  let messages = 0;
  for (let pulls = pair.pulls - 1; pulls !== pair.pulls && messages < 100;) {
    pulls = pair.pulls;
    pair.source.enqueue(frame.slice(0, -1));
    await settle();
    pair.source.enqueue(frame.slice(-1));
    await settle();
    messages++;
  }
  assertLess(messages, 4);
  await channel.close();
});

Deno.test("Channel counts tiny messages that come in chunks of their own with what they take", async () => {
  const pair = manualPair();
  const channel = new Channel(pair, { highWaterMark: 10_000 });
  await settle();
  let messages = 0;
  for (let pulls = pair.pulls - 1; pulls !== pair.pulls && messages < 1000;) {
    pulls = pair.pulls;
    pair.source.enqueue(frameOf(noise(0)));
    await settle();
    messages++;
  }
  assertLess(messages, 100);
  await channel.close();
});

Deno.test("Channel reads chunks of no length without end, and is not troubled", async () => {
  const pair = manualPair();
  const channel = new Channel(pair);
  const received = channel.recv();
  for (let n = 0; n < 1000; n++) pair.source.enqueue(new Uint8Array(0));
  pair.source.enqueue(frameOf(noise(5)));
  assertEquals(await received, noise(5));
  assertEquals(channel.stats.bytesReceived, 11);
  await channel.close();
});

Deno.test("Channel reads ahead no more than its high water mark of compressed messages", async () => {
  // They count with the bytes that they came in, and are inflated when received.
  const pair = manualPair();
  const channel = new Channel(pair, { highWaterMark: 50_000 });
  await settle();
  const bomb = await new Response(
    new Blob([new Uint8Array(1 << 20)]).stream()
      .pipeThrough(new CompressionStream("deflate")),
  ).bytes();
  const before = Deno.memoryUsage().external;
  for (let n = 0; n < 40; n++) pair.source.enqueue(frameOf(bomb, { flag: 1 }));
  await settle();
  assertLess(Deno.memoryUsage().external - before, 4 << 20);
  assertEquals((await channel.recv())?.byteLength, 1 << 20);
  const reader = channel.readable.getReader();
  assertEquals((await reader.read()).value?.byteLength, 1 << 20);
  await settle();
  assertEquals(channel.stats.messagesReceived, 2); // Nor more of them than asked for.
  await channel.close();
});

Deno.test("Channel asks for nothing before it is made, and for one chunk at a time", async () => {
  const pair = manualPair();
  await settle();
  assertEquals(pair.pulls, 0);
  const channel = new Channel(pair);
  await settle();
  assertEquals(pair.pulls, 1);
  assert(await isPending(channel.recv()));
  assertEquals(pair.pulls, 1);
  await channel.close();
});
