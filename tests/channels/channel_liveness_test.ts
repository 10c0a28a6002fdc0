import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { delay } from "@std/async/delay";
import { concat } from "@std/bytes/concat";
import { mock } from "node:test";
import {
  Channel,
  type ChannelOptions,
  ConnectionLostError,
  EncryptedChannel,
  SocketStream,
  StreamTimeoutError,
} from "@sluice/sluice";
import {
  frameOf,
  type ManualPair,
  manualPair,
  memoryEnds,
  noise,
  reasonOf,
  settle,
  tcpEnds,
} from "./_support.ts";

type Tick = (ms: number) => Promise<void>;

/** A test of a channel whose clock stands still until it is told. */
function clockTest(
  name: string,
  options: ChannelOptions & { stuck?: boolean },
  fn: (channel: Channel, pair: ManualPair, tick: Tick) => Promise<void>,
): void {
  Deno.test(name, async () => {
    mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    const { stuck, ...channelOptions } = options;
    const pair = manualPair({
      write: stuck ? () => new Promise(() => {}) : undefined,
    });
    const channel = new Channel(pair, channelOptions);
    try {
      await fn(channel, pair, async (ms) => {
        for (let step = 0; step < ms; step += 50) {
          await settle();
          mock.timers.tick(Math.min(50, ms - step));
        }
        await settle();
      });
    } finally {
      channel.abort();
      mock.timers.reset();
    }
  });
}

const HEARTBEAT = { heartbeat: { interval: 1000, timeout: 4000 } };
const BEAT = frameOf(noise(0));

clockTest(
  "Channel with a heartbeat never sends nothing for longer than its interval",
  { heartbeat: { interval: 1000, timeout: 60_000 } },
  async (channel, pair, tick) => {
    let last = 0;
    for (let now = 0; now < 20_000; now += 50) {
      const before = pair.written.length;
      if (now === 7350) await channel.send(noise(5));
      await tick(50);
      if (pair.written.length > before) last = now;
      assert(now - last < 1000, `nothing since ${last} at ${now}`);
    }
    const beats = pair.written.filter((chunk) => chunk.byteLength === 6);
    assert(18 <= beats.length && beats.length <= 21, `${beats.length} beats`);
    assertEquals(pair.written.length, beats.length + 1);
  },
);

clockTest(
  "Channel with a heartbeat sends no beat while messages leave often enough",
  { heartbeat: { interval: 1000, timeout: 60_000 } },
  async (channel, pair, tick) => {
    for (let n = 0; n < 20; n++) {
      await channel.send(noise(3));
      await tick(500);
    }
    assertEquals(pair.written, Array(20).fill(frameOf(noise(3))));
  },
);

clockTest(
  "Channel with a heartbeat queues no beats behind a write that is stuck",
  { heartbeat: { interval: 1000, timeout: 60_000 }, stuck: true },
  async (channel, _pair, tick) => {
    await channel.send(noise(3));
    await tick(30_000);
    assertEquals(channel.stats.queuedBytes, 9);
  },
);

clockTest(
  "Channel with a heartbeat lets no batch hold a beat, nor what is before it",
  {
    heartbeat: { interval: 1000, timeout: 60_000 },
    batching: { size: 10, timeout: 30_000 },
  },
  async (channel, pair, tick) => {
    await channel.send(noise(3));
    await tick(1000);
    assertEquals(pair.written, [frameOf(noise(3)), BEAT]);
    await tick(4000);
    assertEquals(pair.written.slice(2), Array(4).fill(BEAT));
  },
);

clockTest(
  "Channel with a heartbeat loses a peer that is silent for longer than the timeout",
  HEARTBEAT,
  async (channel, _pair, tick) => {
    const received = reasonOf(channel.recv());
    await tick(3950);
    assertEquals(channel.closed, false);
    await tick(2100);
    const error = await received;
    assertInstanceOf(error, StreamTimeoutError);
    assertEquals(error.timeout, 4000);
    assertEquals(
      error.message,
      "Cannot receive anything, not even a heartbeat, as the peer was silent for 4000 ms",
    );
  },
);

clockTest(
  "Channel with a heartbeat is kept alive by the peer's, and delivers none",
  HEARTBEAT,
  async (channel, pair, tick) => {
    const received = channel.recv();
    for (let n = 0; n < 10; n++) {
      pair.source.enqueue(BEAT.slice());
      await tick(3000);
    }
    assertEquals(channel.closed, false);
    pair.source.enqueue(concat([BEAT, frameOf(noise(5)), BEAT]));
    assertEquals(await received, noise(5));
    await settle();
    assertEquals(await channel.poll(), false);
    assertEquals(channel.stats.messagesReceived, 1);
  },
);

clockTest(
  "Channel with a heartbeat blames no peer while it does not read itself",
  { ...HEARTBEAT, highWaterMark: 1000 },
  async (channel, pair, tick) => {
    pair.source.enqueue(frameOf(noise(2000)));
    await tick(60_000);
    assertEquals(channel.closed, false);
    assertEquals(await channel.recv(), noise(2000));
    await tick(10_000); // Now it reads, and hears nothing.
    assertEquals(channel.closed, true);
  },
);

clockTest(
  "Channel with a heartbeat expects nothing more after the peer's end",
  HEARTBEAT,
  async (channel, pair, tick) => {
    pair.source.close();
    assertEquals(await channel.recv(), null);
    await tick(60_000);
    assertEquals(channel.closed, false);
    const before = pair.written.length;
    await channel.send(noise(3));
    await channel.flush();
    assertEquals(pair.written.slice(before), [frameOf(noise(3))]);
  },
);

clockTest(
  "Channel with a heartbeat sends no beat after the end of its own direction",
  { ...HEARTBEAT, stallTimeout: 4000 },
  async (channel, pair, tick) => {
    await channel.writable.close();
    const { length } = pair.written;
    for (let n = 0; n < 10; n++) {
      pair.source.enqueue(BEAT.slice());
      await tick(2000);
    }
    assertEquals(pair.written.length, length);
    assertEquals(channel.closed, false);
    assertEquals(channel.stats.queuedBytes, 0);
  },
);

clockTest(
  "Channel with a heartbeat refuses to send an empty message",
  HEARTBEAT,
  async (channel) => {
    await assertRejects(
      () => channel.send(noise(0)),
      TypeError,
      "Cannot send an empty message as heartbeat is on",
    );
    await channel.send(noise(1));
  },
);

clockTest(
  "Channel with a stallTimeout fails when a message stops half way",
  { stallTimeout: 1000 },
  async (channel, pair, tick) => {
    const received = reasonOf(channel.recv());
    const frame = frameOf(noise(10));
    for (let at = 0; at < 10; at++) {
      pair.source.enqueue(frame.slice(at, at + 1));
      await tick(900);
      assertEquals(channel.closed, false);
    }
    await tick(1500);
    const error = await received;
    assertInstanceOf(error, StreamTimeoutError);
    assertEquals(error.timeout, 1000);
    assertEquals(
      error.message,
      "Cannot receive message as there was no progress for 1000 ms",
    );
  },
);

clockTest(
  "Channel with a stallTimeout waits for ever between messages",
  { stallTimeout: 1000 },
  async (channel, pair, tick) => {
    pair.source.enqueue(frameOf(noise(10)));
    await channel.send(noise(10));
    await tick(60_000);
    assertEquals(channel.closed, false);
    assertEquals(await channel.recv(), noise(10));
  },
);

clockTest(
  "Channel with a stallTimeout blames no peer while it does not read itself",
  { stallTimeout: 1000, highWaterMark: 100 },
  async (channel, pair, tick) => {
    pair.source.enqueue(
      concat([frameOf(noise(100)), frameOf(noise(9)).slice(0, 7)]),
    );
    await tick(60_000);
    assertEquals(channel.closed, false);
    await channel.recv();
    await tick(2000);
    assertEquals(channel.closed, true);
  },
);

for (const batching of [false, { size: 1 }] as const) {
  const how = batching ? "batching" : "plain";
  clockTest(
    `Channel, ${how}, with a stallTimeout fails when a write makes no progress`,
    { stallTimeout: 1000, batching, stuck: true },
    async (channel, _pair, tick) => {
      await tick(10_000); // Nothing to send is no stall.
      await channel.send(noise(10));
      await tick(950);
      assertEquals(channel.closed, false);
      await tick(600);
      const error = await channel.finished;
      assertInstanceOf(error, StreamTimeoutError);
      assertEquals(
        error.message,
        "Cannot send message as there was no progress for 1000 ms",
      );
    },
  );
}

Deno.test("Channel with a stallTimeout sends a large message over a slow stream, which is no stall", async () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  try {
    const pair = manualPair({
      // 64,000 bytes a second.
      write: ({ byteLength }) =>
        new Promise((resolve) => setTimeout(resolve, byteLength / 64)),
    });
    const channel = new Channel(pair, { stallTimeout: 3000 });
    const sent = channel.send(noise(1 << 20)).then(() => channel.flush());
    for (let ms = 0; ms < 18_000; ms += 250) {
      await settle();
      mock.timers.tick(250);
    }
    await sent;
    assertEquals(channel.closed, false);
    channel.abort();
  } finally {
    mock.timers.reset();
  }
});

clockTest(
  "Channel with a stallTimeout lets a batch wait for its time",
  { stallTimeout: 1000, batching: { size: 10, timeout: 30_000 } },
  async (channel, pair, tick) => {
    await channel.send(noise(10));
    await tick(29_000);
    assertEquals(channel.closed, false);
    assertEquals(pair.written.length, 0);
    await tick(1000);
    assertEquals(pair.written.length, 1);
  },
);

Deno.test("Channel leaves no timer behind, however it ends", async () => {
  // The sanitizer of the test runner sees a timer that is left.
  const options: ChannelOptions = {
    stallTimeout: 60_000,
    heartbeat: { interval: 60_000, timeout: 60_000 },
    batching: { size: 10, timeout: 60_000 },
  };
  const ends: ((channel: Channel, pair: ManualPair) => unknown)[] = [
    (channel) => channel.close(),
    (channel) => channel.abort(),
    (_, pair) => pair.source.error(new Error("no carrier")),
    (_, pair) => pair.source.enqueue(new Uint8Array(5).fill(255)),
    (channel, pair) => {
      pair.source.close();
      return channel.writable.close();
    },
  ];
  for (const end of ends) {
    const pair = manualPair();
    const channel = new Channel(pair, options);
    await channel.send(noise(3)); // It waits in the batch.
    await settle();
    await end(channel, pair);
    await channel.finished;
    await settle();
  }
});

/** Runs a peer in a process of its own, that can be stopped. */
async function withStoppablePeer(
  options: ChannelOptions,
  fn: (channel: Channel, stop: () => void) => Promise<void>,
): Promise<void> {
  const root = new URL("../../mod.ts", import.meta.url).href;
  const code = `
    import { Channel, SocketStream } from "${root}";
    const stream = await SocketStream.connect("127.0.0.1", Number(Deno.args[0]));
    const channel = new Channel(stream, JSON.parse(Deno.args[1]));
    for await (const message of channel) await channel.send(message);
  `;
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--no-check",
      "-",
      String(listener.addr.port),
      JSON.stringify(options),
    ],
    cwd: new URL("../../", import.meta.url),
    stdin: "piped",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  try {
    await ReadableStream.from([new TextEncoder().encode(code)])
      .pipeTo(child.stdin);
    const stream = new SocketStream(await listener.accept());
    const channel = new Channel(stream, options);
    await channel.send(noise(3));
    assertEquals(await channel.recv(), noise(3));
    await fn(channel, () => child.kill("SIGSTOP"));
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

Deno.test({
  name:
    "Channel over TCP with a heartbeat lives while the peer is idle, and notices that it was stopped",
  ignore: Deno.build.os === "windows", // No SIGSTOP.
  fn: () =>
    withStoppablePeer(
      { heartbeat: { interval: 100, timeout: 1500 } },
      async (channel, stop) => {
        assertEquals(await channel.poll(2000), false);
        assertEquals(channel.closed, false);
        stop();
        const start = performance.now();
        const error = await assertRejects(
          () => channel.recv(),
          StreamTimeoutError,
        );
        assertEquals(error.timeout, 1500);
        assertLess(performance.now() - start, 10_000);
      },
    ),
});

Deno.test({
  name:
    "Channel over TCP with a stallTimeout gives up sending to a peer that was stopped",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withStoppablePeer({ stallTimeout: 300 }, async (channel, stop) => {
      stop();
      const message = noise(1 << 20);
      await assertRejects(async () => {
        for (;;) await channel.send(message);
      }, StreamTimeoutError);
    }),
});

Deno.test("Channel over TCP has no timers unless asked for", async () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  try {
    const { near, far } = await tcpEnds();
    const channel = new Channel(near);
    const other = new Channel(far);
    await channel.send(noise(3));
    assertEquals(await other.recv(), noise(3));
    mock.timers.tick(2 ** 31 - 1);
    await channel.send(noise(4));
    assertEquals(await other.recv(), noise(4));
    await Promise.all([channel.close(), other.close()]);
  } finally {
    mock.timers.reset();
  }
});

const BEATS = { heartbeat: { interval: 20, timeout: 5000 } };

/** Few bytes are read ahead. */
const BEHIND = { ...BEATS, highWaterMark: 1000 };

for (
  const [kind, open] of [
    ["plain", (stream) => new Channel(stream, BEHIND)],
    ["encrypted", (stream) => new EncryptedChannel(stream, noise(32), BEHIND)],
  ] satisfies [string, (stream: SocketStream) => Channel][]
) {
  Deno.test(`Channel with a heartbeat, ${kind}, receives all that a peer sent before its close, however late`, async () => {
    const { near, far } = await tcpEnds();
    await using sender = open(near);
    await using receiver = open(far);
    const count = 40; // More than is read ahead, and little for a socket.
    for (let i = 0; i < count; i++) await sender.send(noise(1000));
    await sender.close();
    assertEquals(await sender.finished, undefined);
    await delay(200); // Beats to nobody.
    for (let i = 0; i < count; i++) {
      assertEquals(await receiver.recv(), noise(1000));
    }
    assertEquals(await receiver.recv(), null);
    assertEquals(await receiver.finished, undefined);
  });

  Deno.test(`Channel with a heartbeat, ${kind}, fails when it has something to send to a peer that has closed`, async () => {
    const { near, far } = await tcpEnds();
    await using sender = open(near);
    await using receiver = open(far);
    await receiver.ready;
    for (let i = 0; i < 40; i++) await sender.send(noise(1000));
    await sender.close();
    await delay(200);
    const reason = await reasonOf(receiver.send(noise(1)));
    assertInstanceOf(reason, ConnectionLostError);
    assertStrictEquals(await receiver.finished, reason);
    assertStrictEquals(await reasonOf(receiver.flush()), reason);
  });
}

Deno.test("Channel with a heartbeat fails when messages were lost with it", async () => {
  const { near, far } = memoryEnds();
  await using channel = new Channel(near, {
    ...BEATS,
    batching: { size: 10, timeout: 60_000 },
  });
  await channel.send(noise(1)); // It waits for the next beat.
  await far.close();
  assertInstanceOf(await channel.finished, ConnectionLostError);
});

Deno.test("Channel with a stallTimeout sends on in its close(), though the peer stopped within a message", async () => {
  const { near, far } = await tcpEnds();
  const channel = new Channel(near, { stallTimeout: 300 });
  await far.write(frameOf(noise(100)).subarray(0, 50));
  const sent = channel.send(noise(16 << 20));
  const closed = channel.close();
  let received = 0;
  for await (const chunk of far.readable) {
    received += chunk.byteLength;
    await delay(3); // Never for long.
  }
  await Promise.all([sent, closed]);
  assertEquals(await channel.finished, undefined);
  assertEquals(received, frameOf(noise(16 << 20)).byteLength);
  await far.close();
});

/** A channel whose first heartbeat is being written, until it fails. */
async function beating(
  options: ChannelOptions = {},
): Promise<{ channel: Channel; fail: () => void }> {
  const begun = Promise.withResolvers<void>();
  const written = Promise.withResolvers<void>();
  const pair = manualPair({
    write: () => {
      begun.resolve();
      return written.promise;
    },
  });
  const channel = new Channel(pair, { ...BEATS, ...options });
  await begun.promise;
  return { channel, fail: () => written.reject(new Error("no carrier")) };
}

Deno.test("Channel of which a heartbeat fails has nothing more to flush", async () => {
  const { channel, fail } = await beating();
  const flushed = channel.flush();
  fail();
  await flushed;
  assertEquals(channel.stats.queuedBytes, 0);
  await channel.flush();
  await channel.close();
  assertEquals(await channel.finished, undefined);
});

Deno.test("Channel of which a heartbeat fails fails with it if a message waits for room", async () => {
  const { channel, fail } = await beating({ highWaterMark: 1 });
  const sent = channel.send(noise(1));
  const flushed = channel.flush();
  fail();
  const reason = await channel.finished;
  assertInstanceOf(reason, ConnectionLostError);
  assertStrictEquals(await reasonOf(sent), reason);
  assertStrictEquals(await reasonOf(flushed), reason);
});

Deno.test("Channel that batches, with a heartbeat, receives all that a peer sent before its close", async () => {
  const { near, far } = memoryEnds();
  await using channel = new Channel(near, {
    ...BEATS,
    batching: { size: 5, timeout: 10 },
    highWaterMark: 2000,
  });
  await channel.send(noise(1));
  await channel.flush();
  await far.read(frameOf(noise(1)).byteLength);
  for (let i = 0; i < 10; i++) await far.write(frameOf(noise(1000)));
  await far.close();
  await delay(100); // Beats to nobody.
  for (let i = 0; i < 10; i++) {
    assertEquals(await channel.recv(), noise(1000));
  }
  assertEquals(await channel.recv(), null);
});
