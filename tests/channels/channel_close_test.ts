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
import {
  Channel,
  ConnectionLostError,
  StreamClosedError,
  StreamTimeoutError,
} from "@sluice/sluice";
import {
  channelsOver,
  frameOf,
  isPending,
  JOINTS,
  manualPair,
  memoryEnds,
  noise,
  pairOf,
  reasonOf,
  settle,
  tcpEnds,
} from "./_support.ts";

for (const [joint, ends] of Object.entries(JOINTS)) {
  Deno.test(`Channel delivers all that was sent before close(), over ${joint}`, async () => {
    await using channels = await channelsOver(ends());
    const { near, far } = channels;
    const sizes = [3, 300_000, 0, 70_000, 1_000_000, 5];
    const sent = sizes.map((size) => near.send(noise(size)));
    const closed = near.close();
    for (const size of sizes) assertEquals(await far.recv(), noise(size));
    assertEquals(await far.recv(), null);
    await Promise.all(sent);
    await closed;
    assertEquals(await near.finished, undefined);
    assertEquals(near.closed, true);
    await far.close();
    assertEquals(await far.finished, undefined);
  });

  Deno.test(`Channel ends one direction by closing writable, and goes on receiving, over ${joint}`, async () => {
    await using channels = await channelsOver(ends());
    const { near, far } = channels;
    await near.send(noise(5));
    await near.writable.close();
    assertEquals(await far.recv(), noise(5));
    assertEquals(await far.recv(), null);
    assertEquals(await far.recv(), null);
    await assertRejects(
      () => near.send(noise(1)),
      StreamClosedError,
      "Cannot send message as our direction was ended",
    );
    await near.flush();
    assert(!near.closed && !far.closed);
    const sent = (async () => {
      for (let n = 0; n < 50; n++) await far.send(noise(n * 1000));
      await far.writable.close();
    })();
    for (let n = 0; n < 50; n++) {
      assertEquals(await near.recv(), noise(n * 1000));
    }
    assertEquals(await near.recv(), null);
    await sent;
    // Both directions are over: that is the end, without a call to close().
    assertEquals(await near.finished, undefined);
    assertEquals(await far.finished, undefined);
    assert(near.closed && far.closed);
    assertEquals(await near.recv(), null);
  });

  Deno.test(`Channel closes at the end of its scope, over ${joint}`, async () => {
    const { near, far } = await ends();
    const other = new Channel(far);
    let channel;
    {
      await using scoped = new Channel(near);
      channel = scoped;
      await scoped.send(noise(9));
    }
    assert(channel.closed);
    assertEquals(await other.recv(), noise(9));
    assertEquals(await other.recv(), null);
    await other.close();
  });

  Deno.test(`Channel closes at both ends at once, over ${joint}`, async () => {
    const { near, far } = await channelsOver(ends());
    await Promise.all([near.send(noise(9)), far.send(noise(9))]);
    await Promise.all([near.close(), far.close(), near.close()]);
    assertEquals(await near.finished, undefined);
    assertEquals(await far.finished, undefined);
  });
}

Deno.test("Channel refuses every call after close() and drops what was not received", async () => {
  const pair = manualPair();
  const channel = new Channel(pair);
  pair.source.enqueue(frameOf(noise(5)));
  await settle();
  await channel.close();
  for (
    const call of [
      () => channel.recv(),
      () => channel.poll(),
      () => channel.send(noise(1)),
    ]
  ) await assertRejects(call, StreamClosedError);
  await channel.flush(); // Everything has been handed over.
  await channel.close();
  channel.abort(new Error("too late"));
  await assertRejects(() => channel.recv(), StreamClosedError);
  assertEquals(await channel.finished, undefined);
});

Deno.test("Channel rejects what waits to receive at close(), and sends what waits to be sent", async () => {
  let release = () => {};
  const pair = manualPair({
    write: () => new Promise((resolve) => release = resolve),
  });
  const channel = new Channel(pair, { highWaterMark: 100 });
  const sent = [1, 2, 3].map(() => channel.send(noise(100)));
  const received = channel.recv();
  const polled = channel.poll(Infinity);
  const flushed = channel.flush();
  await settle();
  const closed = channel.close();
  assertInstanceOf(await reasonOf(received), StreamClosedError);
  assertInstanceOf(await reasonOf(polled), StreamClosedError);
  for (let n = 0; n < 6; n++) {
    release();
    await settle();
  }
  await Promise.all([...sent, flushed, closed]);
  assertEquals(
    concat(pair.written),
    concat([1, 2, 3].map(() => frameOf(noise(100)))),
  );
});

Deno.test("Channel gives up close() after closeTimeout, and finished tells", async () => {
  const pair = manualPair({ write: () => new Promise(() => {}) });
  const channel = new Channel(pair, { closeTimeout: 30 });
  await channel.send(noise(1));
  const start = performance.now();
  await channel.close();
  assertLess(29, performance.now() - start);
  const failure = await channel.finished;
  assertInstanceOf(failure, StreamTimeoutError);
  assertEquals(failure.timeout, 30);
  assertEquals(
    failure.message,
    "Cannot send all messages before the close as it took longer than 30 ms",
  );
  assertStrictEquals(await reasonOf(channel.recv()), failure);
});

Deno.test("Channel closes over TCP within closeTimeout though the peer does not read", async () => {
  const { near, far } = await JOINTS.TCP();
  const channel = new Channel(near, {
    closeTimeout: 50,
    highWaterMark: 1 << 25,
  });
  const sent = channel.send(noise(32 << 20)).catch((error) => error);
  await channel.close();
  assertInstanceOf(await channel.finished, StreamTimeoutError);
  assertInstanceOf(await sent, StreamTimeoutError);
  await (far as typeof near & AsyncDisposable)[Symbol.asyncDispose]();
});

Deno.test("Channel reads and drops what the peer sends until it is closed, as the peer may wait for that", async () => {
  // Both send more than everything between them can hold, then close.
  const { near, far } = await channelsOver(memoryEnds(), {
    highWaterMark: 10_000,
    closeTimeout: 2000,
  });
  const sent = [near, far].flatMap((channel) =>
    Array.from({ length: 10 }, () => channel.send(noise(60_000)))
  );
  await Promise.all([near.close(), far.close(), ...sent]);
  assertEquals(await near.finished, undefined);
  assertEquals(await far.finished, undefined);
});

Deno.test("Channel closes over TCP without a loss to the peer, though it has not read all that the peer sent", async () => {
  // To close a socket with bytes unread resets it, and drops what it has to send.
  const { near, far } = await channelsOver(JOINTS.TCP(), {
    highWaterMark: 1000,
  });
  const there = Array.from({ length: 8 }, (_, n) => noise(300_000 + n));
  const back = Array.from({ length: 5 }, () => far.send(noise(500_000)));
  await settle();
  const sent = there.map((message) => near.send(message));
  const closed = near.close();
  for (const message of there) assertEquals(await far.recv(), message);
  assertEquals(await far.recv(), null);
  await Promise.all([...sent, ...back]);
  await Promise.all([closed, far.close()]);
  assertEquals(await near.finished, undefined);
  assertEquals(await far.finished, undefined);
});

Deno.test("Channel closes though the peer sends without end", async () => {
  const frame = frameOf(noise(1000));
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(frame.slice()),
  });
  const channel = new Channel({
    readable: endless,
    writable: new WritableStream(),
  });
  await channel.close();
  assertEquals(await channel.finished, undefined);
});

Deno.test("Channel does not wait long for the end of a peer that is idle", async () => {
  const channel = new Channel(manualPair(), { closeTimeout: 60_000 });
  const start = performance.now();
  await channel.close();
  assertLess(performance.now() - start, 10_000);
});

Deno.test("Channel takes no harm when the peer was gone before it closed, with nothing left to say", async () => {
  for (const [, ends] of Object.entries(JOINTS)) {
    const { near, far } = await channelsOver(ends());
    await near.send(noise(5));
    await near.close(); // All of it: the peer can be told nothing any more.
    assertEquals(await far.recv(), noise(5));
    assertEquals(await far.recv(), null);
    await far.close();
    assertEquals(await far.finished, undefined);
  }
});

Deno.test("Channel fails when the peer was gone before it took what was sent", async () => {
  const { near, far } = await channelsOver(JOINTS.memory());
  await near.close();
  assertEquals(await far.recv(), null);
  await far.send(noise(100));
  await far.close();
  assertInstanceOf(await far.finished, ConnectionLostError);
});

Deno.test("Channel aborts at once, whatever is under way", async () => {
  const { near, far } = memoryEnds();
  const channel = new Channel(near, { closeTimeout: 60_000 });
  const sent = [1, 2, 3].map(() => channel.send(noise(300_000)));
  await settle();
  const closed = channel.close();
  const reason = new Error("enough");
  channel.abort(reason);
  await closed;
  for (const call of sent) assertStrictEquals(await reasonOf(call), reason);
  far.abort();
});

Deno.test("Channel ends receiving when its readable is cancelled, and goes on sending", async () => {
  await using channels = await channelsOver(memoryEnds());
  const { near, far } = channels;
  await far.send(noise(1));
  await settle();
  await near.readable.cancel(new Error("enough"));
  assertEquals(await near.recv(), null);
  assertEquals(await near.poll(), true);
  await near.send(noise(4));
  assertEquals(await far.recv(), noise(4));
});

Deno.test("Channel pipes messages through its readable and writable, and closes both ways", async () => {
  await using channels = await channelsOver(memoryEnds());
  const { near, far } = channels;
  const echoed = far.readable.pipeTo(far.writable);
  const messages = Array.from({ length: 300 }, (_, n) => noise(n * 31 % 5000));
  const [back] = await Promise.all([
    Array.fromAsync(near.readable),
    ReadableStream.from(messages).pipeTo(near.writable),
    echoed,
  ]);
  assertEquals(back, messages);
  assertEquals(await near.finished, undefined);
});

Deno.test("Channel aborts when its writable is aborted", async () => {
  const reason = new Error("enough");
  const channel = new Channel(manualPair());
  await channel.writable.abort(reason);
  assertStrictEquals(await reasonOf(channel.recv()), reason);
});

Deno.test("Channel makes a pipe into its writable wait for the stream", async () => {
  const stuck = manualPair({ write: () => new Promise(() => {}) });
  const channel = new Channel(stuck, { highWaterMark: 1000 });
  let pulled = 0;
  const source = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled++;
      controller.enqueue(noise(100));
    },
  });
  const piped = source.pipeTo(channel.writable);
  assert(await isPending(piped));
  assertLess(pulled, 30);
  channel.abort(new Error("done"));
  await assertRejects(() => piped, Error, "done");
});

Deno.test("Channel is ready at once", async () => {
  const pair = manualPair(); // Its peer says nothing.
  await using channel = new Channel(pair);
  const later = Promise.resolve("later");
  assertEquals(await Promise.race([channel.ready, later]), undefined);
  assertEquals(channel.closed, false);
  assertEquals(pair.written, []);
});

Deno.test("Channel takes the end of an idle peer for a clean one", async () => {
  await using channel = new Channel(pairOf([]));
  assertEquals(await channel.recv(), null);
  assertEquals(channel.closed, false); // We may still send.
  await channel.send(noise(3));
});

Deno.test("Channel that receives no more loses nothing that it sends before its close(), though the peer sends on", async () => {
  // The peer takes nothing in before it is asked for.
  const slow = { highWaterMark: 1 };
  await using channels = await channelsOver(tcpEnds(), {}, slow);
  const { near, far } = channels;
  const sending = (async () => {
    for (let i = 0; i < 100; i++) {
      await far.send(noise(1000));
      await delay(1);
    }
  })().catch(() => {}); // Once the other end has gone.
  for await (const _ of near.readable) break;
  for (let i = 0; i < 100; i++) await near.send(noise(1000));
  await near.close();
  assertEquals(await near.finished, undefined);
  await sending;
  for (let i = 0; i < 100; i++) assertEquals(await far.recv(), noise(1000));
});

Deno.test("Channel that receives no more lets go of the stream when its writable is closed", async () => {
  await using channels = await channelsOver(tcpEnds());
  const { near, far } = channels;
  await near.readable.cancel();
  await near.writable.close();
  assertEquals(await near.finished, undefined);
  assertEquals(await far.recv(), null);
});

Deno.test("Channel reads nothing for nobody after its readable was cancelled", async () => {
  const { near: stream, far } = memoryEnds();
  await using near = new Channel(stream);
  await near.readable.cancel();
  let written = 0;
  const writing = (async () => {
    for (; written < 100; written++) await far.write(frameOf(noise(60_000)));
  })();
  await delay(50);
  assertLess(written, 5);
  await near.close();
  await writing.catch(() => {});
  await far.close();
});

Deno.test("Channel whose readable is cancelled in its close() still loses nothing that it sent", async () => {
  await using channels = await channelsOver(tcpEnds());
  const { near, far } = channels;
  const count = 200;
  const sending = (async () => {
    for (let i = 0; i < count; i++) await far.send(noise(20_000));
  })().catch(() => {});
  const sent = Array.from({ length: count }, () => near.send(noise(20_000)));
  const closed = near.close();
  await delay(5);
  await near.readable.cancel();
  for (let i = 0; i < count; i++) assertEquals(await far.recv(), noise(20_000));
  await Promise.all([...sent, closed, sending]);
  assertEquals(await near.finished, undefined);
});
