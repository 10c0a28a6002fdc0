/**
 * What happens late or at an awkward moment: after a close, while something is
 * stuck, or to a call that nobody awaits.
 *
 * @module
 */
import {
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
} from "@std/assert";
import { delay } from "@std/async/delay";
import {
  type ByteStreamPair,
  Channel,
  ConnectionLostError,
  EncryptedChannel,
  PipeStream,
} from "@sluice/sluice";
import { barePairs, KEY } from "./_secure.ts";
import { bareEnds, memoryEnds, noise, reasonOf, settle } from "./_support.ts";

/** Passes chunks on in small pieces, with a pause after each. */
function slowLink(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    async transform(chunk, controller) {
      for (let at = 0; at < chunk.byteLength; at += 2000) {
        controller.enqueue(chunk.slice(at, at + 2000));
        await delay(10);
      }
    },
  });
}

for (
  const [what, options] of Object.entries({
    heartbeat: { heartbeat: { interval: 50, timeout: 200 } },
    stallTimeout: { stallTimeout: 200 },
  })
) {
  Deno.test(`${what} sees that a record arrives, though it takes longer than the limit`, async () => {
    const [a, b] = barePairs(slowLink());
    await using near = new EncryptedChannel(a, KEY, { closeTimeout: 0 });
    await using far = new EncryptedChannel(b, KEY, options);
    await Promise.all([near.ready, far.ready]);
    await near.send(noise(60_000));
    assertEquals(await far.recv(), noise(60_000));
    near.abort();
    far.abort();
    await delay(20); // The link's own pause.
  });
}

Deno.test("EncryptedChannel receives all, though the peer has let go of the stream when we end it", async () => {
  // A pair whose write settles a moment after the peer can read it.
  const link = () =>
    new TransformStream<Uint8Array, Uint8Array>(
      {
        async transform(chunk, controller) {
          controller.enqueue(chunk);
          await delay(1);
        },
      },
      undefined,
      { highWaterMark: 8 },
    );
  const [a, b] = barePairs(link(), link());
  const options = { highWaterMark: 1000 };
  const near = new EncryptedChannel(a, KEY, options);
  const far = new EncryptedChannel(b, KEY, options);
  for (let i = 0; i < 3; i++) {
    await far.send(noise(900));
    await far.flush();
  }
  await far.writable.close();
  const farReceives = Array.fromAsync(far);
  await delay(10);
  await near.send(noise(5000));
  await near.writable.close();
  assertEquals((await Array.fromAsync(near)).length, 3);
  assertEquals((await farReceives).length, 1);
  assertEquals(await near.finished, undefined);
  assertEquals(await far.finished, undefined);
});

for (
  const [what, late] of Object.entries({
    "a message over the limit": [0, 0, 1, 0, 0],
    "what is no zlib data": [0, 0, 0, 1, 1, 7, 10],
    "half a message": [0, 0, 0, 9, 0, 7],
  })
) {
  Deno.test(`close() drops ${what} that arrives after it, and the peer has all and an end`, async () => {
    const { near, far } = memoryEnds();
    const channel = new Channel(near, { maxMessageSize: 100 });
    await channel.send(noise(10));
    const closing = channel.close();
    await far.write(new Uint8Array(late));
    await settle();
    assertEquals((await far.read(16))?.byteLength, 16);
    assertEquals(await far.read(1), null);
    await far.close();
    await closing;
    assertEquals(await channel.finished, undefined);
  });
}

Deno.test({
  name: "a child that fails just after close() ends the channel cleanly",
  ignore: Deno.build.os === "windows",
  async fn() {
    const command = ["sh", "-c", "cat > /dev/null; exit 9"];
    const child = await PipeStream.spawn(command);
    const channel = new Channel(child);
    await channel.send(noise(10));
    await channel.close();
    assertEquals(await channel.finished, undefined);
    assertEquals((await child.status)?.code, 9);
  },
});

Deno.test("an abort of channel.writable, or of its writer, does not wait for a message that is stuck", async () => {
  for (const how of ["stream", "writer"] as const) {
    const { near, far } = memoryEnds();
    const channel = new Channel(near);
    const { writable } = channel;
    const writer = writable.getWriter();
    const writes = [1, 2, 3].map(() => writer.write(noise(1_000_000)));
    const reasons = writes.map(reasonOf);
    await settle();
    const reason = new Error("no more");
    if (how === "writer") await writer.abort(reason);
    else {
      writer.releaseLock();
      await writable.abort(reason);
    }
    assertStrictEquals(await reasonOf(channel.recv()), reason);
    await Promise.all(reasons);
    far.abort();
  }
});

Deno.test("next() of a channel's iterator, and close() of its writable, may go unawaited", async () => {
  const acts: ((channel: Channel) => unknown)[] = [
    (channel) => channel[Symbol.asyncIterator]().next(),
    (channel) => channel.writable.getWriter().close(),
    (channel) => channel.writable.close(),
  ];
  for (const act of acts) {
    const { near, far } = memoryEnds();
    const channel = new Channel(near);
    channel.send(noise(1_000_000)).catch(() => {});
    await settle();
    act(channel); // A rejection that nobody handles would fail the test.
    await settle();
    channel.abort(new Error("gone"));
    far.abort();
    await delay(0);
  }
});

for (
  const [what, make] of Object.entries({
    Channel: (stream: ByteStreamPair) => new Channel(stream),
    EncryptedChannel: (stream: ByteStreamPair) =>
      new EncryptedChannel(stream, KEY),
  })
) {
  Deno.test(`${what} takes a peer that aborts at the other end of a bare pair for lost`, async () => {
    const { near, far } = bareEnds();
    const [ours, theirs] = [make(near), make(far)];
    await Promise.all([ours.ready, theirs.ready]);
    const receiving = reasonOf(ours.recv());
    await settle();
    theirs.abort(); // Which is no end of ours.
    assertInstanceOf(await receiving, ConnectionLostError);
  });
}
