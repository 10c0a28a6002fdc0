import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { createServer, type Socket } from "node:net";
import {
  BatchingChannel,
  type BatchingOptions,
  BufferOverflowError,
  type ByteStreamPair,
  Channel,
  type ChannelOptions,
  CompressedChannel,
  CompressionError,
  type CompressionOptions,
  ConnectionLostError,
  EncryptedChannel,
  SocketStream,
  StreamClosedError,
  StreamError,
} from "@sluice/sluice";
import {
  bareEnds,
  frameOf,
  isPending,
  type ManualPair,
  manualPair,
  memoryEnds,
  noise,
  pairOf,
  reasonOf,
  runDeno,
  settle,
} from "./_support.ts";

/** Calls of every kind, all of which must wait: nothing arrives, nothing leaves. */
async function pendingCalls(channel: Channel): Promise<Promise<unknown>[]> {
  const sends: Promise<unknown>[] = [];
  const filler = noise(100_000);
  for (let n = 0; n < 6; n++) sends.push(channel.send(filler));
  const calls = [
    ...sends.slice(-2),
    channel.flush(),
    channel.recv(),
    channel.recv(),
    channel.poll(Infinity),
    channel[Symbol.asyncIterator]().next(),
    channel.readable.getReader().read(),
    channel.writable.getWriter().write(noise(1)),
  ];
  for (const call of calls) assert(await isPending(call));
  return calls;
}

/** Calls of every kind that come later. */
function laterCalls(channel: Channel): Promise<unknown>[] {
  return [
    channel.send(noise(1)),
    channel.send(noise(0)),
    channel.flush(),
    channel.recv(),
    channel.recv({ signal: new AbortController().signal }),
    channel.poll(),
    channel.poll(1000),
    channel[Symbol.asyncIterator]().next(),
    Array.fromAsync(channel),
  ];
}

/** That all of them reject with one and the same reason. */
async function assertReason(
  calls: Promise<unknown>[],
  reason: unknown,
): Promise<void> {
  for (const [index, call] of calls.entries()) {
    assertStrictEquals(await reasonOf(call), reason, `call ${index}`);
  }
}

/** What breaks a channel, by itself or with what it stands on. */
const FAULTS: Record<string, {
  break: (channel: Channel, pair: ManualPair, breakWrite: () => void) => void;
  type: new (...args: never[]) => Error;
}> = {
  "a length over the limit": {
    break: (_, { source }) =>
      source.enqueue(frameOf(noise(0), { length: 2 ** 32 - 1 }).slice(0, 5)),
    type: BufferOverflowError,
  },
  "a message that cannot be inflated": {
    break: (_, { source }) => source.enqueue(frameOf(noise(9), { flag: 1 })),
    type: CompressionError,
  },
  "an end inside a frame": {
    break(_, { source }) {
      source.enqueue(frameOf(noise(9)).slice(0, 8));
      source.close();
    },
    type: ConnectionLostError,
  },
  "a stream that cannot be read": {
    break: (_, { source }) => source.error(new Error("no carrier")),
    type: ConnectionLostError,
  },
  "a stream that cannot be written": {
    break: (_channel, _pair, breakWrite) => breakWrite(),
    type: ConnectionLostError,
  },
  "a stream that gives something else than bytes": {
    break: (_, { source }) => source.enqueue("text" as unknown as Uint8Array),
    type: ConnectionLostError,
  },
  "abort()": {
    break: (channel) => channel.abort(),
    type: StreamClosedError,
  },
};

const KINDS: Record<string, ChannelOptions> = {
  plain: {},
  batching: { batching: { size: 2, timeout: 60_000 } },
};

for (const [fault, { break: breakIt, type }] of Object.entries(FAULTS)) {
  for (const [kind, options] of Object.entries(KINDS)) {
    Deno.test(`Channel, ${kind}, settles every call with the one error after ${fault}`, async () => {
      let breakWrite = () => {};
      const pair = manualPair({
        write: () =>
          new Promise((_, reject) =>
            breakWrite = () => reject(new Error("no carrier"))
          ),
      });
      const channel = new Channel(pair, { highWaterMark: 1000, ...options });
      const reader = channel.readable.getReader();
      reader.releaseLock();
      const calls = await pendingCalls(channel);
      breakIt(channel, pair, breakWrite);
      const reason = await reasonOf(calls[0]!);
      assertInstanceOf(reason, type);
      await assertReason(calls, reason);
      await assertReason(laterCalls(channel), reason);
      assertStrictEquals(await channel.finished, reason);
      assert(channel.closed);
      await channel.close(); // Never rejects.
      await assertReason(laterCalls(channel), reason);
    });
  }
}

Deno.test("Channel that has failed says so, whatever it is asked to send", async () => {
  const channel = new Channel(manualPair(), { maxMessageSize: 10 });
  const reason = new Error("enough");
  channel.abort(reason);
  for (const message of [noise(11), "text" as unknown as Uint8Array]) {
    assertStrictEquals(await reasonOf(channel.send(message)), reason);
  }
});

Deno.test("Channel keeps what a foreign failure was as its cause", async () => {
  const cause = new Error("no carrier");
  const pair = manualPair();
  const channel = new Channel(pair);
  pair.source.error(cause);
  const error = await assertRejects(() => channel.recv(), ConnectionLostError);
  assertStrictEquals(error.cause, cause);
  assertEquals(error.message, "Cannot receive message: no carrier");
});

Deno.test("Channel rejects with the very reason of abort(), whatever it is", async () => {
  for (const reason of [new Error("enough"), "enough", null]) {
    const channel = new Channel(manualPair());
    const received = channel.recv();
    channel.abort(reason);
    channel.abort(new Error("too late"));
    assertStrictEquals(await reasonOf(received), reason);
    await assertReason(laterCalls(channel), reason);
    const failure = await channel.finished;
    assertInstanceOf(failure, StreamError);
    assertStrictEquals(failure.cause, reason);
  }
});

Deno.test("Channel drops what is queued both ways at abort()", async () => {
  const pair = manualPair({ write: () => new Promise(() => {}) });
  const channel = new Channel(pair);
  for (let n = 0; n < 3; n++) {
    pair.source.enqueue(frameOf(noise(n)));
    await channel.send(noise(100));
    await settle();
  }
  channel.abort(new Error("enough"));
  await assertRejects(() => channel.recv(), Error, "enough");
  assertEquals(channel.stats.queuedBytes, 0);
  await settle();
  assertEquals(pair.written.length, 1);
});

Deno.test("Channel still receives what had arrived whole before a failure", async () => {
  const sound = [noise(3), noise(0), noise(70_000), noise(5)];
  const wire = concat(sound.map((m) => frameOf(m)));
  const faults = [
    frameOf(noise(0), { length: 2 ** 32 - 1 }),
    frameOf(noise(9)).slice(0, 7),
  ];
  for (const fault of faults) {
    for (const chunks of [[concat([wire, fault])], [wire, fault]]) {
      const channel = new Channel(pairOf(chunks));
      await settle();
      await settle();
      const received: Uint8Array[] = [];
      for (const _ of sound) received.push((await channel.recv())!);
      assertEquals(received, sound);
      const reason = await reasonOf(channel.recv());
      assertInstanceOf(reason, StreamError);
      await assertReason(laterCalls(channel), reason);
    }
  }
});

Deno.test("Channel gives out what is sound through readable, and then the failure", async () => {
  const sound = [noise(3), noise(0), noise(5)];
  const frames = concat(sound.map((m) => frameOf(m)));
  for (
    const fault of [
      frameOf(noise(9), { flag: 1 }),
      frameOf(noise(0), { length: 2 ** 32 - 1 }),
      frameOf(noise(9)).slice(0, 7),
    ]
  ) {
    const channel = new Channel(pairOf([concat([frames, fault])]));
    const reader = channel.readable.getReader();
    await settle();
    for (const message of sound) {
      assertEquals((await reader.read()).value, message);
    }
    const reason = await reasonOf(reader.read());
    assertInstanceOf(reason, StreamError);
    assertStrictEquals(await reasonOf(reader.closed), reason);
    assertStrictEquals(await channel.finished, reason);
  }
});

Deno.test("Channel fails for good at a damaged message even when both directions have ended", async () => {
  const damaged = frameOf(noise(9), { flag: 1 });
  const channel = new Channel(pairOf([damaged, frameOf(noise(1))]));
  await channel.writable.close();
  await settle();
  const reason = await reasonOf(channel.recv());
  assertInstanceOf(reason, CompressionError);
  await assertReason([channel.recv(), channel.poll(), channel.recv()], reason);
  await channel.close();
});

Deno.test("Channel settles the promises of readable and writable at a failure, though nobody reads or writes", async () => {
  const pair = manualPair();
  const channel = new Channel(pair);
  const reader = channel.readable.getReader();
  const writer = channel.writable.getWriter();
  const { closed } = writer;
  assert(await isPending(closed));
  const reason = new Error("enough");
  channel.abort(reason);
  for (const promise of [closed, reader.closed, writer.ready]) {
    assertStrictEquals(await reasonOf(promise), reason);
  }
});

Deno.test("Channel fails when the peer resets the connection, and says so", async () => {
  const server = createServer();
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve())
  );
  const accepted = new Promise<Socket>((resolve) =>
    server.once("connection", resolve)
  );
  const { port } = server.address() as { port: number };
  const channel = new Channel(await SocketStream.connect("127.0.0.1", port));
  const socket = await accepted;
  socket.write(frameOf(noise(4)));
  assertEquals(await channel.recv(), noise(4));
  const received = channel.recv();
  const polled = channel.poll(Infinity);
  socket.resetAndDestroy();
  const reason = await reasonOf(received);
  assertInstanceOf(reason, ConnectionLostError);
  await assertReason([polled, ...laterCalls(channel)], reason);
  assertStrictEquals(await channel.finished, reason);
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("Channel is lost when the peer ends the connection inside a message", async () => {
  const server = createServer((socket) =>
    socket.end(frameOf(noise(1000)).slice(0, 600))
  );
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve())
  );
  const { port } = server.address() as { port: number };
  const channel = new Channel(await SocketStream.connect("127.0.0.1", port));
  const error = await assertRejects(() => channel.recv(), ConnectionLostError);
  assertEquals(error.received, 600);
  assertEquals(error.expected, 1006);
  await channel.close();
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("Channel fails at both ends of a pair in memory when one aborts", async () => {
  const { near, far } = memoryEnds();
  const one = new Channel(near);
  const other = new Channel(far);
  const received = other.recv();
  one.abort(new Error("enough"));
  assertInstanceOf(await reasonOf(received), ConnectionLostError);
  await assertReason(laterCalls(other), await other.finished);
});

Deno.test("Channel tells a bare pair of its failure, even while a write is stuck", async () => {
  const reason = new Error("enough");
  let cancelled: unknown;
  let signal: AbortSignal | undefined;
  const channel = new Channel({
    readable: new ReadableStream({ cancel: (why) => void (cancelled = why) }),
    writable: new WritableStream({
      start: (controller) => void (signal = controller.signal),
      write: () => new Promise(() => {}),
    }),
  });
  await channel.send(noise(1));
  await settle();
  channel.abort(reason);
  await settle();
  assertStrictEquals(cancelled, reason);
  assertStrictEquals(signal?.reason, reason);
});

Deno.test("Channel cancels a bare pair that it fails on while nobody receives", async () => {
  let cancelled = false;
  const channel = new Channel({
    readable: new ReadableStream({
      pull: (controller) => controller.enqueue(frameOf(noise(60_000))),
      cancel: () => void (cancelled = true),
    }, { highWaterMark: 0 }),
    writable: new WritableStream({
      write() {
        throw new Error("no carrier");
      },
    }),
  });
  await settle();
  await channel.send(noise(1));
  await channel.finished;
  await settle();
  assert(cancelled);
  assertEquals(await channel.recv(), noise(60_000)); // It had arrived before.
});

Deno.test("Channel refuses a stream of which a side is locked, and locks neither", () => {
  for (const side of ["readable", "writable"] as const) {
    const { near } = bareEnds();
    const lock = side === "readable"
      ? near.readable.getReader()
      : near.writable.getWriter();
    assertThrows(
      () => new Channel(near),
      TypeError,
      `Cannot open channel as ${side} of the stream is locked`,
    );
    lock.releaseLock();
    assert(!near.readable.locked && !near.writable.locked);
  }
});

Deno.test("Channel refuses what is no stream", () => {
  for (const side of ["readable", "writable"] as const) {
    const { near } = bareEnds();
    assertThrows(
      () => new Channel({ [side]: near[side] } as unknown as ByteStreamPair),
      TypeError,
      "Cannot open channel as the stream must have a readable and a writable",
    );
  }
});

Deno.test("Channel locks both sides of the stream that it owns", async () => {
  for (const { near, far } of [bareEnds(), memoryEnds()]) {
    const channel = new Channel(near);
    assert(near.readable.locked && near.writable.locked);
    assertThrows(() => new Channel(near), TypeError);
    channel.abort();
    await far.readable.cancel().catch(() => {});
  }
});

Deno.test("Channel refuses what is no message, and goes on", async () => {
  const pair = manualPair();
  await using channel = new Channel(pair, { maxMessageSize: 100 });
  const wrong: [unknown, string][] = [
    ["text", "string"],
    [[1], "Array"],
    [null, "null"],
    [undefined, "undefined"],
    [new ArrayBuffer(3), "ArrayBuffer"],
    [Object.create(null), "object"],
  ];
  for (const [value, type] of wrong) {
    await assertRejects(
      () => channel.send(value as Uint8Array),
      TypeError,
      `must be a Uint8Array: current type is ${type}`,
    );
  }
  const error = await assertRejects(
    () => channel.send(noise(101)),
    BufferOverflowError,
    "Cannot send message as its length must be <= 100: current length is 101",
  );
  assertEquals([error.size, error.limit], [101, 100]);
  await channel.send(noise(100));
  await channel.flush();
  assertEquals(pair.written, [frameOf(noise(100))]);
  assertEquals(channel.stats.messagesSent, 1);
});

Deno.test("Channel refuses options out of range", () => {
  const wrong: ChannelOptions[] = [
    { maxMessageSize: -1 },
    { maxMessageSize: 2 ** 32 },
    { highWaterMark: 0 },
    { highWaterMark: NaN },
    { stallTimeout: -1 },
    { stallTimeout: 2 ** 31 },
    { closeTimeout: -1 },
    { heartbeat: { interval: 0, timeout: 1000 } },
    { heartbeat: { interval: 1000, timeout: 0 } },
    { compression: { level: 10 } },
    { compression: { threshold: -1 } },
    { batching: { size: 0 } },
    { batching: { timeout: -1 } },
  ];
  for (const options of wrong) {
    const { near } = bareEnds();
    assertThrows(() => new Channel(near, options), RangeError);
    assert(!near.readable.locked && !near.writable.locked);
  }
});

Deno.test("Channel and its presets refuse options that they do not know", () => {
  const options = { stalTimeout: 1000 } as ChannelOptions;
  const makers = [
    (pair: ByteStreamPair) => new Channel(pair, options),
    (pair: ByteStreamPair) => new CompressedChannel(pair, options),
    (pair: ByteStreamPair) => new BatchingChannel(pair, options),
    (pair: ByteStreamPair) => new EncryptedChannel(pair, noise(32), options),
  ];
  for (const make of makers) {
    const { near } = bareEnds();
    assertThrows(
      () => make(near),
      TypeError,
      "Cannot open channel with stalTimeout: it has no such option",
    );
    assert(!near.readable.locked && !near.writable.locked);
  }
});

Deno.test("Channel refuses what it does not know within its options, and says what is for the target", () => {
  const wrong: [unknown, string][] = [
    [{ compression: { lvl: 1 } }, "Cannot compress messages with lvl"],
    [{ batching: { batchSize: 5 } }, "Cannot batch messages with batchSize"],
    [
      { heartbeat: { interval: 1, timeout: 2, foo: 1 } },
      "Cannot watch the connection with foo",
    ],
    [{ noDelay: true }, "noDelay: it goes with what is connected to"],
    [{ tls: true }, "tls: it goes with what is connected to"],
    [{ toString: 1 }, "toString: it has no such option"],
  ];
  for (const [options, message] of wrong) {
    const make = () => new Channel(bareEnds().near, options as ChannelOptions);
    assertThrows(make, TypeError, message);
  }
  const compression = { lvl: 1 } as CompressionOptions;
  const batching = { batchSize: 1 } as BatchingOptions;
  const { near } = bareEnds();
  assertThrows(() => new CompressedChannel(near, { compression }), TypeError);
  assertThrows(() => new BatchingChannel(near, { batching }), TypeError);
});

Deno.test("Channel over a bare pair says how the peer has left", async () => {
  const { near, far } = bareEnds();
  const [gone, left] = [new Channel(near), new Channel(far)];
  await gone.close();
  const error = await reasonOf((async () => {
    for (;;) await left.send(noise(300_000)); // The first may still be taken.
  })());
  assertInstanceOf(error, ConnectionLostError);
  assertStringIncludes(error.message, "Channel was closed");
  assertInstanceOf(error.cause, StreamClosedError);
});

for (const kind of ["plain", "batching", "compressing"]) {
  Deno.test(`Channel, ${kind}, of which nothing is awaited cannot end the process when the peer resets`, async () => {
    const { code, output } = await runDeno(`
      import { createServer } from "node:net";
      import { Channel, SocketStream } from "@root/mod.ts";
      globalThis.addEventListener("unhandledrejection", (event) => {
        console.log("unhandled", event.reason);
      });
      const options = {
        plain: {},
        batching: { batching: {} },
        compressing: { compression: { threshold: 0 } },
      }["${kind}"];
      const server = createServer((socket) => {
        socket.once("data", () => socket.resetAndDestroy());
      });
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
      const stream = await SocketStream.connect("127.0.0.1", server.address().port);
      const channel = new Channel(stream, { highWaterMark: 1000, ...options });
      const { signal } = new AbortController();
      function callAll() {
        for (const size of [1, 500, 100_000, 300_000]) {
          channel.send(new Uint8Array(size));
          channel.send(new Uint8Array(size), { signal });
        }
        channel.send("text");
        channel.recv();
        channel.recv({ signal });
        channel.poll(1000);
        channel.poll(1000, { signal });
        channel.poll(-1);
        channel.flush();
        channel.ready;
      }
      callAll();
      channel.readable;
      channel.writable;
      const failure = await channel.finished;
      callAll();
      channel.send(new Uint8Array(1), { signal: AbortSignal.abort() });
      channel.recv({ signal: AbortSignal.abort() });
      channel.poll(0, { signal: AbortSignal.abort() });
      channel.close();
      channel.flush();
      server.close();
      console.log("finished", failure.name);
    `);
    assertEquals(output, "finished ConnectionLostError\n");
    assertEquals(code, 0);
  });
}

Deno.test("Channel of which nothing is awaited cannot end the process when it is aborted or closed", async () => {
  const { code, output } = await runDeno(`
    import { Channel, EncryptedChannel, PipeStream } from "@root/mod.ts";
    const key = crypto.getRandomValues(new Uint8Array(32));
    for (const end of ["abort", "close"]) {
      for (const make of [(s) => new Channel(s), (s) => new EncryptedChannel(s, key)]) {
        const [near, far] = PipeStream.createPair();
        const channel = make(near);
        channel.recv();
        channel.poll(Infinity);
        channel.send(new Uint8Array(300_000));
        channel.send(new Uint8Array(10));
        channel.flush();
        channel[end]();
        channel.recv();
        channel.send(new Uint8Array(300_000));
        channel.flush();
        channel.ready;
        far.abort();
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    console.log("alive");
  `);
  assertEquals(output, "alive\n");
  assertEquals(code, 0);
});
