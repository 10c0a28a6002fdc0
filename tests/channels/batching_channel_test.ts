import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async/delay";
import { concat } from "@std/bytes/concat";
import { mock } from "node:test";
import {
  BatchingChannel,
  type BatchingChannelOptions,
  Channel,
  type ChannelOptions,
  CompressedChannel,
} from "@sluice/sluice";
import {
  bareEnds,
  frameOf,
  isPending,
  type ManualPair,
  manualPair,
  memoryEnds,
  noise,
  reasonOf,
  settle,
  text,
} from "./_support.ts";

type Options = ChannelOptions & BatchingChannelOptions;

/** A test whose clock stands still until it is told. */
function clockTest(
  name: string,
  options: Options,
  fn: (
    channel: Channel,
    pair: ManualPair,
    tick: (ms: number) => Promise<void>,
  ) => Promise<void>,
): void {
  Deno.test(name, async () => {
    mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    const pair = manualPair();
    const channel = new BatchingChannel(pair, options);
    try {
      await fn(channel, pair, async (ms) => {
        await settle();
        mock.timers.tick(ms);
        await settle();
      });
    } finally {
      channel.abort();
      mock.timers.reset();
    }
  });
}

function frames(...sizes: number[]): Uint8Array {
  return concat(sizes.map((size) => frameOf(noise(size))));
}

clockTest(
  "BatchingChannel makes one write of batchSize messages, at the last of them",
  { batchSize: 4 },
  async (channel, pair, tick) => {
    for (let n = 0; n < 3; n++) {
      await channel.send(noise(n));
      await tick(0);
    }
    assertEquals(pair.written, []);
    await channel.send(noise(3));
    await tick(0);
    assertEquals(pair.written, [frames(0, 1, 2, 3)]);
    await channel.send(noise(4));
    await tick(0);
    assertEquals(pair.written.length, 1);
  },
);

clockTest(
  "BatchingChannel makes one write when batchTimeout has passed since the first message",
  { batchTimeout: 70 },
  async (channel, pair, tick) => {
    await channel.send(noise(1));
    await tick(40);
    await channel.send(noise(2));
    await tick(29);
    assertEquals(pair.written, []);
    await tick(1);
    assertEquals(pair.written, [frames(1, 2)]);
    await tick(1000);
    await channel.send(noise(3));
    await tick(69);
    assertEquals(pair.written.length, 1);
    await tick(1);
    assertEquals(pair.written, [frames(1, 2), frames(3)]);
  },
);

clockTest(
  "BatchingChannel waits 100 ms for 10 messages by default",
  {},
  async (channel, pair, tick) => {
    for (let n = 0; n < 9; n++) {
      await channel.send(noise(1));
      await tick(11);
    }
    assertEquals(pair.written.length, 0); // 99 ms.
    await channel.send(noise(1));
    await tick(0);
    assertEquals(pair.written.length, 1);
    await channel.send(noise(1));
    await tick(99);
    assertEquals(pair.written.length, 1);
    await tick(1);
    assertEquals(pair.written.length, 2);
  },
);

clockTest(
  "BatchingChannel counts messages, also where many of them share a chunk",
  { batchSize: 5 },
  async (channel, pair, tick) => {
    await channel.send(noise(1));
    await tick(0);
    for (let n = 0; n < 3; n++) await channel.send(noise(1)); // One turn.
    await tick(0);
    assertEquals(pair.written.length, 0);
    await channel.send(noise(1));
    await tick(0);
    assertEquals(pair.written, [frames(1, 1, 1, 1, 1)]);
  },
);

clockTest(
  "BatchingChannel sends at once at flush(), and settles when it is out",
  {},
  async (channel, pair, tick) => {
    await channel.send(noise(1));
    await channel.send(noise(2));
    await tick(0);
    assertEquals(pair.written, []);
    await channel.flush();
    assertEquals(pair.written, [frames(1, 2)]);
    assertEquals(channel.stats.writes, 1);
    await channel.flush(); // With nothing to send.
    assertEquals(channel.stats.writes, 1);
    await tick(1000);
    assertEquals(channel.stats.writes, 1);
  },
);

clockTest(
  "BatchingChannel sends at once when its direction ends",
  {},
  async (channel, pair, tick) => {
    await channel.send(noise(1));
    await tick(0);
    assertEquals(pair.written, []);
    await channel.writable.close();
    assertEquals(pair.written, [frames(1)]);
  },
);

clockTest(
  "BatchingChannel does not hold a long message back, nor those before it",
  {},
  async (channel, pair, tick) => {
    await channel.send(noise(1));
    await channel.send(noise(2));
    await channel.send(noise(70_000));
    await tick(0);
    assertEquals(concat(pair.written), frames(1, 2, 70_000));
    await channel.send(noise(200_000));
    await channel.send(noise(300_000));
    await tick(0);
    const long = frames(1, 2, 70_000, 200_000, 300_000);
    assertEquals(concat(pair.written), long);
    await channel.send(noise(3));
    await tick(0);
    assertEquals(concat(pair.written), long, "a short one is held again");
  },
);

Deno.test("BatchingChannel sends what is held when it is closed, and leaves no timer", async () => {
  const pair = manualPair();
  const channel = new BatchingChannel(pair, { batchTimeout: 60_000 });
  await channel.send(noise(1));
  await channel.close();
  assertEquals(pair.written, [frames(1)]);
});

Deno.test("BatchingChannel leaves no timer when it fails with a batch held", async () => {
  const failures: ((channel: Channel, pair: ManualPair) => void)[] = [
    (channel) => channel.abort(),
    (_, pair) => pair.source.error(new Error("no carrier")),
  ];
  for (const fail of failures) {
    const pair = manualPair();
    const channel = new BatchingChannel(pair, { batchTimeout: 60_000 });
    await channel.send(noise(1));
    await settle();
    fail(channel, pair);
    await channel.finished;
    await settle();
  }
});

Deno.test("BatchingChannel survives a stream that fails while a batch is held", async () => {
  // The timer of a batch must not fire into a stage that has failed.
  const pair = manualPair();
  const channel = new BatchingChannel(pair, {
    batchTimeout: 15,
    batchSize: 100,
  });
  await channel.send(noise(1));
  await settle();
  pair.source.error(new Error("broken"));
  const failure = await channel.finished;
  assertInstanceOf(failure, Error);
  await delay(30);
  assertEquals(await reasonOf(channel.send(noise(1))), failure);
  assertEquals(pair.written, []); // It was held.
});

Deno.test("BatchingChannel saves nine writes of ten", async () => {
  const counts = [];
  for (const make of [Channel, BatchingChannel]) {
    const pair = manualPair();
    const channel = new make(pair);
    for (let n = 0; n < 200; n++) {
      await channel.send(noise(64));
      await settle(); // They come one by one.
    }
    await channel.flush();
    assertEquals(
      concat(pair.written),
      concat(Array(200).fill(frameOf(noise(64)))),
    );
    counts.push(pair.written.length);
    assertEquals(channel.stats.writes, pair.written.length);
    await channel.close();
  }
  assertEquals(counts, [200, 20]);
});

Deno.test("BatchingChannel is understood by a channel that knows nothing of batches", async () => {
  const { near, far } = memoryEnds();
  const one = new BatchingChannel(near, { batchTimeout: 5 });
  const other = new Channel(far);
  for (let n = 0; n < 25; n++) await one.send(noise(n));
  for (let n = 0; n < 25; n++) assertEquals(await other.recv(), noise(n));
  await Promise.all([one.close(), other.close()]);
});

Deno.test("BatchingChannel makes send() wait for a stream that takes nothing", async () => {
  const pair = manualPair({ write: () => new Promise(() => {}) });
  const channel = new BatchingChannel(pair, { highWaterMark: 1000 });
  const sends = Array.from({ length: 100 }, () => channel.send(noise(94)));
  assert(await isPending(sends.at(-1)!));
  // One batch is being written, one is held, and 1000 bytes are queued.
  const accepted = channel.stats.messagesSent;
  assertLess(accepted, 50);
  channel.abort(new Error("done"));
  await assertRejects(() => sends.at(-1)!, Error, "done");
});

Deno.test("BatchingChannel is a preset of batching, and takes the other options", async () => {
  const pair = manualPair();
  const channel = new BatchingChannel(pair, {
    batching: { size: 2, timeout: 60_000 },
    compression: { threshold: 0 },
    maxMessageSize: 1000,
  });
  await channel.send(text(1000));
  await channel.send(text(1000));
  await settle();
  assertEquals(pair.written.length, 1);
  assertEquals(pair.written[0]![4], 1); // Compressed.
  await assertRejects(() => channel.send(text(1001)));
  channel.abort();
  const other = manualPair();
  const over = new BatchingChannel(other, {
    batching: { size: 2, timeout: 60_000 },
    batchSize: 3,
  });
  for (let n = 0; n < 2; n++) await over.send(noise(1));
  await settle();
  assertEquals(other.written.length, 0);
  await over.send(noise(1));
  await settle();
  assertEquals(other.written.length, 1);
  over.abort();
});

Deno.test("BatchingChannel compresses and batches as CompressedChannel with batching does", async () => {
  const wires = [];
  for (
    const make of [
      (pair: ManualPair) =>
        new BatchingChannel(pair, { compression: { threshold: 10 } }),
      (pair: ManualPair) =>
        new CompressedChannel(pair, { threshold: 10, batching: {} }),
    ]
  ) {
    const pair = manualPair();
    const channel = make(pair);
    for (let n = 0; n < 25; n++) await channel.send(text(n * 10));
    await channel.close();
    wires.push(concat(pair.written));
  }
  assertEquals(wires[0], wires[1]);
});

Deno.test("BatchingChannel refuses options out of range", () => {
  const wrong: Options[] = [
    { batchSize: 0 },
    { batchSize: 1.5 },
    { batchTimeout: -1 },
    { batchTimeout: 2 ** 31 },
  ];
  for (const options of wrong) {
    const { near } = bareEnds();
    assertThrows(() => new BatchingChannel(near, options), RangeError);
    assert(!near.readable.locked);
  }
});

// The sanitizer of timers fails it if one is left.
Deno.test("BatchingChannel that is aborted while a write is stuck stops the timer of its batch", async () => {
  const stuck = manualPair({ write: () => new Promise(() => {}) });
  const channel = new Channel(stuck, {
    batching: { size: 1000, timeout: 60_000 },
  });
  // Each bursts the batch of the one before, and begins the next.
  for (let i = 0; i < 3; i++) channel.send(noise(50_000)).catch(() => {});
  await settle();
  assertEquals(stuck.written.length, 1);
  channel.abort();
  await settle();
});
