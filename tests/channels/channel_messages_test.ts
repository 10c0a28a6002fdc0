import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { Channel } from "@sluice/sluice";
import {
  around,
  channelsOver,
  cut,
  frameOf,
  isPending,
  JOINTS,
  manualPair,
  memoryEnds,
  noise,
  pairOf,
  randomOf,
  seed,
  settle,
  tcpEnds,
} from "./_support.ts";

const SIZES = around(5, 1024, 63_994, 65_536, 131_066, 262_144, 1_048_576);

for (const [joint, ends] of Object.entries(JOINTS)) {
  Deno.test(`Channel carries messages of every size, in order, over ${joint}`, async () => {
    await using channels = await channelsOver(ends());
    const { near, far } = channels;
    const sent = (async () => {
      for (const size of SIZES) await near.send(noise(size));
      await near.flush();
    })();
    for (const size of SIZES) assertEquals(await far.recv(), noise(size));
    await sent;
  });

  Deno.test(`Channel keeps the order of random sizes sent in bursts over ${joint}`, async () => {
    const random = randomOf(seed());
    const sizes = Array.from(
      { length: 400 },
      () => Math.floor(random() ** 6 * 300_000),
    );
    await using channels = await channelsOver(ends());
    const { near, far } = channels;
    const sent = (async () => {
      for (let i = 0; i < sizes.length;) {
        const burst = sizes.slice(i, i += 1 + Math.floor(random() * 40));
        await Promise.all(burst.map((size) => near.send(noise(size))));
        if (random() < 0.2) await near.flush();
      }
    })();
    for (const size of sizes) assertEquals(await far.recv(), noise(size));
    await sent;
  });

  Deno.test(`Channel carries large messages both ways at once over ${joint}`, async () => {
    await using channels = await channelsOver(ends());
    const { near, far } = channels;
    const sizes = [1_048_576, 0, 3_000_000, 64_000, 1];
    await Promise.all([near, far].flatMap((channel, side) => [
      (async () => {
        for (const size of sizes) await channel.send(noise(size, side));
      })(),
      (async () => {
        for (const size of sizes) {
          assertEquals(await channel.recv(), noise(size, 1 - side));
        }
      })(),
    ]));
  });

  Deno.test(`Channel sends while its own recv() waits over ${joint}`, async () => {
    await using channels = await channelsOver(ends());
    const { near, far } = channels;
    const received = near.recv();
    for (let n = 0; n < 100; n++) {
      await near.send(noise(n));
      assertEquals(await far.recv(), noise(n));
    }
    assert(await isPending(received));
    await far.send(noise(7));
    assertEquals(await received, noise(7));
  });
}

Deno.test("Channel puts frames together however their bytes are cut", async () => {
  const random = randomOf(seed());
  const messages = [0, 1, 70, 0, 1024, 5000, 70_000, 3].map((n) => noise(n));
  const wire = concat(messages.map((m) => frameOf(m)));
  const cuts = [
    wire.byteLength,
    1,
    2,
    4,
    5,
    6,
    1000,
    ...Array.from({ length: 20 }, () => () => Math.floor(random() ** 3 * 9000)),
  ];
  for (const size of cuts) {
    const channel = new Channel(pairOf(cut(wire, size)));
    assertEquals(await Array.fromAsync(channel), messages);
    assertEquals(await channel.recv(), null);
    await channel.close();
  }
});

Deno.test("Channel receives a message only when the byte after it has come", async () => {
  const pair = manualPair();
  await using channel = new Channel(pair);
  const received = channel.recv();
  const frame = frameOf(noise(3));
  pair.source.enqueue(frame.slice(0, 8));
  assert(await isPending(received));
  pair.source.enqueue(frame.slice(8));
  assertEquals(await received, noise(3));
});

Deno.test("Channel serves concurrent recv() calls first come, first served", async () => {
  await using channels = await channelsOver(JOINTS.memory());
  const { near, far } = channels;
  const received = Array.from({ length: 50 }, () => far.recv());
  for (let n = 0; n < 50; n++) await near.send(noise(n));
  assertEquals(
    await Promise.all(received),
    Array.from({ length: 50 }, (_, n) => noise(n)),
  );
});

Deno.test("Channel serves concurrent send() calls first come, first served, also those that must wait", async () => {
  await using channels = await channelsOver(JOINTS.memory(), {
    highWaterMark: 100,
  });
  const { near, far } = channels;
  const order: number[] = [];
  const sent = Array.from(
    { length: 200 },
    // Some too long to be copied, which settle when they are out.
    (_, n) =>
      near.send(noise(n % 50 === 7 ? 300_000 + n : n)).then(() =>
        order.push(n)
      ),
  );
  for (let n = 0; n < 200; n++) {
    const size = n % 50 === 7 ? 300_000 + n : n;
    assertEquals((await far.recv())?.byteLength, size);
  }
  await Promise.all(sent);
  // The long ones settle later than their turn: when they are out.
  const short = order.filter((n) => n % 50 !== 7);
  assertEquals(short, short.toSorted((a, b) => a - b));
  assertEquals(order.length, 200);
});

Deno.test("Channel sends the first message after a pause at once, and what is sent meanwhile together", async () => {
  let release = () => {};
  const pair = manualPair({
    write: () => new Promise((resolve) => release = resolve),
  });
  await using channel = new Channel(pair, { closeTimeout: 1000 });
  await settle();
  await channel.send(noise(1));
  await Promise.resolve().then(() => {}).then(() => {}); // No turn of the event loop.
  assertEquals(pair.written, [frameOf(noise(1))]);
  for (let n = 0; n < 20; n++) await channel.send(noise(n));
  await settle();
  assertEquals(pair.written.length, 1);
  release();
  await settle();
  assertEquals(pair.written.length, 2);
  assertEquals(
    pair.written[1],
    concat(Array.from({ length: 20 }, (_, n) => frameOf(noise(n)))),
  );
  assertEquals(channel.stats.writes, 1);
  const flushed = channel.flush();
  release();
  await flushed;
  assertEquals(channel.stats.writes, 2);
});

Deno.test("Channel makes one write of all that a turn of the event loop sends", async () => {
  const pair = manualPair();
  await using channel = new Channel(pair);
  await channel.send(noise(1));
  await settle();
  for (let n = 0; n < 30; n++) await channel.send(noise(100));
  await channel.flush();
  assert(pair.written.length <= 3, `${pair.written.length} writes`);
});

Deno.test("Channel writes a message after a pause whole, and fills its writes to a socket when there are many", async () => {
  const { near, far } = await tcpEnds();
  const [channel, peer] = [new Channel(near), new Channel(far)];
  for (let i = 1; i <= 3; i++) {
    await channel.send(noise(65_536));
    await peer.recv();
    assertEquals(channel.stats.writes, i);
  }
  for (let i = 0; i < 32; i++) void channel.send(noise(8186));
  for (let i = 0; i < 32; i++) await peer.recv();
  // The first alone, then all of 31 frames of 8192 bytes, the last few together.
  assertEquals(channel.stats.writes, 3 + 1 + Math.ceil(31 * 8192 / 64_000));
  await Promise.all([channel.close(), peer.close()]);
});

Deno.test("Channel does not copy a large payload to write it to a stream of ours", async () => {
  const message = noise(1 << 20);
  const { near, far } = memoryEnds();
  const before = Deno.memoryUsage().external;
  await using channel = new Channel(near, { closeTimeout: 0 });
  const sent = channel.send(message);
  await settle();
  // What is copied is what the pipe in memory buffers.
  const grown = Deno.memoryUsage().external - before;
  assert(grown < 300_000, `${grown} bytes`);
  far.abort();
  await sent.catch(() => {});
});

Deno.test("Channel receives an empty message as a message, not as the end", async () => {
  const channel = new Channel(pairOf([frameOf(noise(0)), frameOf(noise(0))]));
  assertEquals(await channel.recv(), noise(0));
  assertEquals(await channel.recv(), noise(0));
  assertEquals(await channel.recv(), null);
  assertEquals(await channel.recv(), null);
  await channel.close();
});

Deno.test("Channel iterates over messages, and leaving the loop does not close it", async () => {
  await using channels = await channelsOver(JOINTS.memory());
  const { near, far } = channels;
  for (let n = 0; n < 5; n++) await near.send(noise(n));
  const seen: number[] = [];
  for await (const message of far) {
    seen.push(message.byteLength);
    if (seen.length === 2) break;
  }
  assertEquals(far.closed, false);
  await near.writable.close();
  for await (const { byteLength } of far) seen.push(byteLength);
  assertEquals(seen, [0, 1, 2, 3, 4]);
  await far.send(noise(9)); // Our direction goes on.
  assertEquals(await near.recv(), noise(9));
});

Deno.test("Channel ends the iteration when it is closed locally", async () => {
  const channel = new Channel(manualPair());
  const seen = Array.fromAsync(channel);
  await settle();
  await channel.close();
  assertEquals(await seen, []);
});

Deno.test("Channel counts messages, bytes and writes", async () => {
  await using channels = await channelsOver(JOINTS.memory());
  const { near, far } = channels;
  assertEquals(near.stats, {
    messagesSent: 0,
    messagesReceived: 0,
    bytesSent: 0,
    bytesReceived: 0,
    writes: 0,
    queuedBytes: 0,
  });
  await near.send(noise(10));
  await near.flush();
  await near.send(noise(0));
  await near.flush();
  assertEquals(await far.recv(), noise(10));
  await far.recv();
  assertEquals(near.stats.messagesSent, 2);
  assertEquals(near.stats.bytesSent, 22);
  assertEquals(near.stats.writes, 2);
  assertEquals(near.stats.queuedBytes, 0);
  assertEquals(far.stats.messagesReceived, 2);
  assertEquals(far.stats.bytesReceived, 22);
  assertStrictEquals(far.stats.messagesSent, 0);
});

Deno.test("Channel counts what is queued until the stream has taken it", async () => {
  let release = () => {};
  const pair = manualPair({
    write: () => new Promise((resolve) => release = resolve),
  });
  await using channel = new Channel(pair);
  await channel.send(noise(94));
  await settle();
  await channel.send(noise(194));
  assertEquals(channel.stats.queuedBytes, 300);
  release();
  await settle();
  assertEquals(channel.stats.queuedBytes, 200);
  release();
  await channel.flush();
  assertEquals(channel.stats.queuedBytes, 0);
});
