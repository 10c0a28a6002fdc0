import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  BufferOverflowError,
  Channel,
  StreamClosedError,
} from "@sluice/sluice";
import {
  channelsOver,
  isPending,
  JOINTS,
  manualPair,
  memoryEnds,
  noise,
  settle,
} from "./_support.ts";

for (const [joint, join] of Object.entries(JOINTS)) {
  Deno.test(`Channel.writable keeps the order of writes that wait and writes that need not, over ${joint}`, async () => {
    await using channels = await channelsOver(join(), { highWaterMark: 300 });
    const { near, far } = channels;
    const writer = near.writable.getWriter();
    const writing = (async () => {
      for (let i = 0; i < 3000; i++) {
        const write = writer.write(new Uint8Array([i >>> 8, i]));
        // Some turns end with writes that the stream still holds.
        if (i % 7 === 0) await write;
        else if (i % 5 === 0) await Promise.resolve();
        else if (i % 11 === 0) await settle();
      }
      await writer.close();
    })();
    for (let i = 0; i < 3000; i++) {
      assertEquals(await far.recv(), new Uint8Array([i >>> 8, i]));
    }
    assertEquals(await far.recv(), null);
    await writing;
  });
}

Deno.test("Channel.writable tells by ready and desiredSize that the channel has no room", async () => {
  let release = () => {};
  const pair = manualPair({
    write: () => new Promise((resolve) => release = resolve),
  });
  const channel = new Channel(pair, { highWaterMark: 1000 });
  const writer = channel.writable.getWriter();
  await settle();
  let accepted = 0;
  while (writer.desiredSize! > 0) {
    await writer.ready;
    writer.write(noise(100)).catch(() => {});
    assertLess(++accepted, 20);
  }
  await settle();
  assertEquals(writer.desiredSize, 0);
  assert(await isPending(writer.ready));
  release();
  await writer.ready;
  assertEquals(writer.desiredSize, 1);
  channel.abort(new Error("done"));
});

Deno.test("Channel.writable refuses writes after its close, whoever closed it, and sends none of them", async () => {
  const closes: Record<string, (channel: Channel) => Promise<void>> = {
    writer: (channel) => {
      const writer = channel.writable.getWriter();
      const closed = writer.close();
      writer.releaseLock();
      return closed;
    },
    stream: (channel) => channel.writable.close(),
    pipe: (channel) => ReadableStream.from([]).pipeTo(channel.writable),
  };
  for (const [name, close] of Object.entries(closes)) {
    await using channels = await channelsOver(memoryEnds());
    const { near, far } = channels;
    await near.send(noise(1));
    const closed = close(near);
    if (name === "pipe") await closed;
    const writer = near.writable.getWriter();
    await assertRejects(() => writer.write(noise(2)), TypeError);
    await closed;
    assertEquals((await far.recv())?.byteLength, 1);
    assertEquals(await far.recv(), null);
  }
});

Deno.test("Channel.writable refuses the writes of a writer that was released", async () => {
  await using channels = await channelsOver(memoryEnds());
  const { near, far } = channels;
  const released = near.writable.getWriter();
  assertThrows(() => near.writable.getWriter(), TypeError);
  released.releaseLock();
  await assertRejects(() => released.write(noise(2)), TypeError);
  const writer = near.writable.getWriter();
  assertInstanceOf(writer, WritableStreamDefaultWriter);
  await assertRejects(() => released.close(), TypeError);
  await writer.write(noise(1));
  assertEquals((await far.recv())?.byteLength, 1);
});

Deno.test("Channel.writable sends nothing after a close that came before it had started", async () => {
  await using channels = await channelsOver(memoryEnds());
  const { near, far } = channels;
  const closing = new WritableStreamDefaultWriter(near.writable);
  const closed = closing.close();
  closing.releaseLock();
  const writer = near.writable.getWriter();
  await assertRejects(() => writer.write(noise(1)), TypeError);
  await closed;
  assertEquals(await far.recv(), null);
});

Deno.test("Channel.writable leaves no rejection unhandled when the channel fails", async () => {
  const channel = new Channel(
    manualPair({ write: () => new Promise(() => {}) }),
    { highWaterMark: 100 },
  );
  const writer = channel.writable.getWriter();
  for (let i = 0; i < 5; i++) writer.write(noise(100)); // Nobody awaits them.
  writer.closed.catch(() => {});
  writer.ready.catch(() => {});
  await settle();
  channel.abort(new Error("stop"));
  await settle();
});

Deno.test("Channel.writable fails for good at a message that is refused, and the channel goes on", async () => {
  const refused: [unknown, new () => Error][] = [
    [noise(1001), BufferOverflowError as new () => Error],
    ["no bytes", TypeError],
  ];
  for (const [message, errorClass] of refused) {
    await using channels = await channelsOver(memoryEnds(), {
      maxMessageSize: 1000,
    });
    const { near, far } = channels;
    const writer = near.writable.getWriter();
    await settle();
    await writer.write(noise(1));
    const refusal = writer.write(message as Uint8Array);
    const next = writer.write(noise(2)); // In the same turn.
    const error = await assertRejects(() => refusal, errorClass);
    for (const promise of [next, writer.write(noise(2)), writer.closed]) {
      assertStrictEquals(await assertRejects(() => promise), error);
    }
    await near.send(noise(3));
    assertEquals((await far.recv())?.byteLength, 1);
    assertEquals((await far.recv())?.byteLength, 3);
  }
});

Deno.test("Channel.writable refuses writes after its abort and after the channel's close", async () => {
  const reason = new Error("stop");
  const aborted = new Channel(memoryEnds().near);
  const writer = aborted.writable.getWriter();
  const aborting = writer.abort(reason);
  assertStrictEquals(
    await assertRejects(() => writer.write(noise(1))),
    reason,
  );
  await aborting;

  await using channels = await channelsOver(memoryEnds());
  const late = channels.near.writable.getWriter();
  const closing = channels.near.close();
  await assertRejects(() => late.write(noise(1)), StreamClosedError);
  await Promise.all([closing, channels.far.close()]);
});
