import {
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import {
  BufferOverflowError,
  Channel,
  ConnectionLostError,
} from "@sluice/sluice";
import {
  channelsOver,
  frameOf,
  isPending,
  JOINTS,
  manualPair,
  memoryEnds,
  settle,
} from "./_support.ts";

/** A message that says which one it is. */
function numbered(index: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([index >>> 8, index]);
}

/** A chunk of messages of one byte each. */
function framesOf(...bytes: number[]): Uint8Array<ArrayBuffer> {
  return concat(bytes.map((byte) => frameOf(new Uint8Array([byte]))));
}

for (const [joint, join] of Object.entries(JOINTS)) {
  Deno.test(`Channel.readable keeps the order of reads that wait and reads that need not, over ${joint}`, async () => {
    await using channels = await channelsOver(join(), { highWaterMark: 300 });
    const { near, far } = channels;
    const sending = (async () => {
      for (let i = 0; i < 3000; i++) {
        await near.send(numbered(i));
        if (i % 13 === 0) await settle(); // So that reads wait, now and then.
      }
      await near.writable.close();
    })();
    let reader = far.readable.getReader();
    const reads = [];
    for (let i = 0; i < 3000; i++) {
      reads.push(reader.read());
      // Up to seven at once, some from another reader, some with others between.
      if (i % 7 === 0) await reads.at(-1);
      if (i % 50 === 0) {
        await Promise.all(reads);
        reader.releaseLock();
        reader = far.readable.getReader();
      }
      if (i % 11 === 0) await settle();
    }
    const results = await Promise.all(reads);
    assertEquals(
      results.map(({ value }) => value),
      results.map((_, i) => numbered(i)),
    );
    assertEquals((await reader.read()).done, true);
    await sending;
  });
}

Deno.test("Channel.readable gives the reads that wait their messages before those that came later", async () => {
  const pair = manualPair();
  const channel = new Channel(pair);
  const reader = channel.readable.getReader();
  const read = async () => (await reader.read()).value?.[0];
  const reads = [read(), read(), read()]; // Before the stream has started.
  for (let n = 1; n <= 5; n++) {
    pair.source.enqueue(frameOf(new Uint8Array([n])));
    await Promise.resolve();
    reads.push(read());
  }
  for (let n = 6; n <= 8; n++) {
    pair.source.enqueue(frameOf(new Uint8Array([n])));
  }
  assertEquals(await Promise.all(reads), [1, 2, 3, 4, 5, 6, 7, 8]);
  await channel.close();
});

Deno.test("Channel.readable keeps the order of reads at whatever moment messages come between them", async () => {
  const situations = [false, true].flatMap((released) =>
    [[1], [1, 2], [1, 2, 3, 4]].map((first) => ({ released, first }))
  );
  for (const { released, first } of situations) {
    for (let moment = 0; moment < 40; moment++) {
      const pair = manualPair();
      const channel = new Channel(pair);
      let reader = channel.readable.getReader();
      await settle();
      const read = async () => (await reader.read()).value?.[0];
      if (released) {
        reader.read().catch(() => {});
        reader.releaseLock();
        reader = channel.readable.getReader();
      }
      const reads = released ? [] : [read(), read()];
      pair.source.enqueue(framesOf(...first));
      const rest = [1, 2, 3, 4].slice(first.length);
      if (rest.length > 0) pair.source.enqueue(framesOf(...rest));
      for (let tick = 0; tick < moment; tick++) await undefined;
      while (reads.length < 4) reads.push(read());
      assertEquals(
        await Promise.all(reads),
        [1, 2, 3, 4],
        `${released} ${first} ${moment}`,
      );
      channel.abort();
    }
  }
});

Deno.test("Channel.readable keeps the order of more reads than it takes messages at once", async () => {
  for (let moment = 0; moment < 40; moment++) {
    const pair = manualPair();
    const channel = new Channel(pair);
    const reader = channel.readable.getReader();
    const read = async () => (await reader.read()).value?.[0];
    const reads = Array.from({ length: 300 }, read);
    await settle();
    const expected = Array.from({ length: 310 }, (_, i) => i & 255);
    pair.source.enqueue(framesOf(...expected));
    for (let tick = 0; tick < moment; tick++) await undefined;
    while (reads.length < expected.length) reads.push(read());
    assertEquals(await Promise.all(reads), expected, `${moment}`);
    channel.abort();
  }
});

Deno.test("Channel.readable leaves to the next reader what a released one waited for", async () => {
  const pair = manualPair();
  const channel = new Channel(pair);
  const first = channel.readable.getReader();
  await settle();
  const waiting = first.read();
  assertEquals(await isPending(waiting), true);
  first.releaseLock();
  await assertRejects(() => waiting, TypeError);
  for (let n = 1; n <= 4; n++) {
    pair.source.enqueue(frameOf(new Uint8Array([n])));
  }
  const second = channel.readable.getReader();
  await settle();
  await assertRejects(() => first.read(), TypeError);
  for (let n = 1; n <= 4; n++) {
    assertEquals((await second.read()).value, new Uint8Array([n]));
  }
  pair.source.enqueue(frameOf(new Uint8Array([5])));
  await settle();
  await assertRejects(() => first.read(), TypeError); // Though a message is there.
  assertEquals((await second.read()).value, new Uint8Array([5]));
  await channel.close();
});

Deno.test("Channel.readable takes nothing from recv() that its reader did not ask for", async () => {
  await using channels = await channelsOver(memoryEnds());
  const { near, far } = channels;
  for (let i = 0; i < 6; i++) await near.send(numbered(i));
  const reader = far.readable.getReader();
  await far.poll(1000);
  for (let i = 0; i < 6; i += 2) {
    assertEquals((await reader.read()).value, numbered(i));
    assertEquals(await far.recv(), numbered(i + 1));
  }
});

Deno.test("Channel.readable reads nothing after it was cancelled, though messages are there", async () => {
  for (const by of ["reader", "stream"] as const) {
    await using channels = await channelsOver(memoryEnds());
    const { near, far } = channels;
    for (let i = 0; i < 3; i++) await near.send(numbered(i));
    await far.poll(1000);
    let reader = far.readable.getReader();
    assertEquals((await reader.read()).value, numbered(0));
    if (by === "reader") {
      await reader.cancel();
    } else {
      reader.releaseLock();
      await far.readable.cancel();
      reader = far.readable.getReader();
    }
    assertEquals(await reader.read(), { done: true, value: undefined });
    await reader.closed;
  }
});

Deno.test("Channel.readable gives what came before a failure, and then the failure", async () => {
  const pair = manualPair();
  const channel = new Channel(pair);
  const reader = channel.readable.getReader();
  for (let n = 1; n <= 3; n++) {
    pair.source.enqueue(frameOf(new Uint8Array([n])));
  }
  const closed = assertRejects(() => reader.closed, ConnectionLostError);
  await settle();
  pair.source.error(new ConnectionLostError("gone"));
  await settle();
  for (let n = 1; n <= 3; n++) {
    assertEquals((await reader.read()).value, new Uint8Array([n]));
  }
  await assertRejects(() => reader.read(), ConnectionLostError);
  await closed;
  await channel.close();
});

Deno.test("Channel.readable gives nothing any more after an abort, be it ahead of its reader or not", async () => {
  for (const waits of [true, false]) {
    const pair = manualPair();
    const channel = new Channel(pair);
    const reader = channel.readable.getReader();
    const first = waits ? reader.read() : undefined;
    await settle();
    pair.source.enqueue(framesOf(1, 2, 3));
    await settle();
    assertEquals((await (first ?? reader.read())).value, new Uint8Array([1]));
    const reason = new Error("enough");
    channel.abort(reason);
    const error = await assertRejects(() => reader.read());
    assertStrictEquals(error, reason);
    assertStrictEquals(await assertRejects(() => reader.closed), reason);
  }
});

Deno.test("Channel.readable has no reader that brings its own buffer, and is locked by the one it has", async () => {
  await using channels = await channelsOver(memoryEnds());
  const { readable } = channels.near;
  assertThrows(() => readable.getReader({ mode: "byob" }), TypeError);
  // deno-lint-ignore no-explicit-any
  assertThrows(() => (readable as any).getReader("byob"), TypeError);
  const reader = readable.getReader();
  assertThrows(() => readable.getReader(), TypeError);
  reader.releaseLock();
  readable.getReader();
});

Deno.test("Channel.readable gives a read that waits the message that came with the failure", async () => {
  const tooLong = new Uint8Array([255, 255, 255, 255, 0]);
  const ways: Record<string, (channel: Channel) => AsyncIterable<Uint8Array>> =
    {
      "a reader": async function* ({ readable }) {
        const reader = readable.getReader();
        for (;;) yield (await reader.read()).value!;
      },
      "the stream": ({ readable }) => readable,
      "a pipe": ({ readable }) => readable.pipeThrough(new TransformStream()),
    };
  for (const [way, messages] of Object.entries(ways)) {
    const pair = manualPair();
    const channel = new Channel(pair);
    const received: Uint8Array[] = [];
    const receiving = (async () => {
      for await (const message of messages(channel)) received.push(message);
    })();
    await settle();
    pair.source.enqueue(concat([framesOf(1), tooLong]));
    await assertRejects(() => receiving, BufferOverflowError);
    assertEquals(received, [new Uint8Array([1])], way);
  }
});

Deno.test("Channel.readable and Channel.writable may be left alone when they fail", async () => {
  const unhandled: unknown[] = [];
  const note = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  addEventListener("unhandledrejection", note);
  try {
    const pair = manualPair();
    const channel = new Channel(pair);
    const { readable, writable } = channel;
    const reader = readable.getReader();
    const writer = writable.getWriter();
    reader.read();
    readable.cancel(); // It is locked.
    writable.abort();
    pair.source.error(new ConnectionLostError("gone"));
    await settle();
    reader.read();
    reader.cancel();
    writer.write(new Uint8Array(1));
    writer.abort();
    reader.releaseLock();
    readable.pipeTo(new WritableStream());
    await settle();
    readable.cancel();
    await settle();
    assertEquals(unhandled, []);
  } finally {
    removeEventListener("unhandledrejection", note);
  }
});
