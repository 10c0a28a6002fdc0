import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async/delay";
import { deadline } from "@std/async/deadline";
import { concat } from "@std/bytes/concat";
import { mock } from "node:test";
import {
  BufferOverflowError,
  type ByteStreamPair,
  Channel,
  type ChannelOptions,
  ConnectionLostError,
  EncryptedChannel,
  EncryptionError,
  PipeStream,
  type SecureOptions,
  SecureStream,
  StreamClosedError,
  StreamError,
  StreamTimeoutError,
} from "@sluice/sluice";
import { directionsOf } from "../../streams/byte_stream.ts";
import { ScriptedStream } from "../streams/_scripted.ts";
import type { SecureTestOptions } from "../../channels/_secure_handshake.ts";
import { INITIATOR, KEY, recordTranscript, RESPONDER } from "./_secure.ts";
import {
  around,
  bareEnds,
  cut,
  type Ends,
  frameOf,
  isPending,
  JOINTS,
  manualPair,
  memoryEnds,
  noise,
  pairOf,
  randomOf,
  reasonOf,
  seed,
  settle,
  text,
} from "./_support.ts";

interface Pair extends AsyncDisposable {
  near: EncryptedChannel;
  far: EncryptedChannel;
}

function encrypted(
  ends: Ends,
  options: ChannelOptions & SecureOptions = {},
): Pair {
  const near = new EncryptedChannel(ends.near, KEY, options);
  const far = new EncryptedChannel(ends.far, KEY, options);
  return {
    near,
    far,
    async [Symbol.asyncDispose]() {
      await Promise.all([near.close(), far.close()]);
    },
  };
}

Deno.test("EncryptedChannel that batches sends a message of two records when the batch is full", async () => {
  await using pair = encrypted(memoryEnds(), {
    batching: { size: 1, timeout: 60_000 },
  });
  for (
    const size of [63_994, 65_512, 65_513, 70_000, 131_067, 262_144, 262_145]
  ) {
    await pair.near.send(noise(size));
    const message = await deadline(pair.far.recv(), 5000);
    assertEquals(message?.byteLength, size);
  }
});

Deno.test("EncryptedChannel carries messages of every size over every kind of stream", async () => {
  for (const [name, join] of Object.entries(JOINTS)) {
    await using pair = encrypted(await join());
    const { near, far } = pair;
    const sizes = around(65_518, 65_536, 1_000_000);
    const sending = (async () => {
      for (const size of sizes) await near.send(noise(size));
    })();
    for (const size of sizes) {
      const message = await far.recv();
      assertEquals(message?.byteLength, size, name);
      assertEquals(message, noise(size), name);
    }
    await sending;
  }
});

Deno.test("EncryptedChannel writes two records at a time, and one where a stall is watched for", async () => {
  for (const stallTimeout of [0, 60_000]) {
    const writes: number[] = [];
    const { near, far } = bareEnds();
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        writes.push(chunk.byteLength);
        controller.enqueue(chunk);
      },
    });
    readable.pipeTo(near.writable).catch(() => {});
    const ends = { near: { readable: near.readable, writable }, far };
    await using pair = encrypted(ends, { stallTimeout });
    const expected = stallTimeout > 0 ? 64_019 : 2 * 64_019;
    let most = 0;
    // On a busy machine the engine may end one record after the other for a while.
    for (let round = 0; round < 100 && most < expected; round++) {
      const sending = (async () => {
        for (let i = 0; i < 50; i++) await pair.near.send(noise(65_536));
      })();
      for (let i = 0; i < 50; i++) await pair.far.recv();
      await sending;
      most = Math.max(...writes);
    }
    assertEquals(most, expected);
  }
});

Deno.test("EncryptedChannel fills its records, whatever the messages are cut into", async () => {
  await using pair = encrypted(bareEnds());
  const { near, far } = pair;
  await Promise.all([near.ready, far.ready]);
  const [count, size] = [100, 65_536];
  const sending = (async () => {
    for (let i = 0; i < count; i++) await near.send(noise(size));
    await near.flush();
  })();
  for (let i = 0; i < count; i++) {
    assertEquals((await far.recv())?.byteLength, size);
  }
  await sending;
  const frames = count * (size + 6);
  const records = (near.stats.bytesSent - frames) / 19; // Header, type and tag.
  // Were each frame cut by itself, there would be twice as many.
  assertLess(records, frames / 65_518 * 1.1);
});

Deno.test("EncryptedChannel compresses and batches as it is told, in all combinations", async () => {
  for (const compression of [false, {}] as const) {
    for (const batching of [false, { size: 7, timeout: 5 }] as const) {
      await using pair = encrypted(bareEnds(), { compression, batching });
      const { near, far } = pair;
      const messages = Array.from({ length: 50 }, (_, i) => text(i * 400));
      const sending = (async () => {
        for (const message of messages) await near.send(message);
        await near.flush();
      })();
      for (const message of messages) assertEquals(await far.recv(), message);
      await sending;
      const sent = messages.reduce(
        (sum, { byteLength }) => sum + byteLength,
        0,
      );
      assertEquals(near.stats.bytesSent < sent, compression !== false);
    }
  }
});

Deno.test("EncryptedChannel queues what is sent before the handshake is done", async () => {
  const { near, far } = bareEnds();
  const one = new EncryptedChannel(near, KEY, { highWaterMark: 1000 });
  const first = [one.send(noise(10)), one.send(noise(20))];
  await Promise.all(first);
  await one.send(noise(2000));
  const waits = one.send(noise(5)); // The high water mark has been passed.
  assert(await isPending(waits));
  assert(await isPending(one.ready));
  const other = new EncryptedChannel(far, KEY);
  await Promise.all([one.ready, other.ready, waits]);
  for (const size of [10, 20, 2000, 5]) {
    assertEquals(await other.recv(), noise(size));
  }
  await Promise.all([one.close(), other.close()]);
});

Deno.test("EncryptedChannel ends cleanly, and each direction by itself", async () => {
  for (const join of Object.values(JOINTS)) {
    const { near, far } = encrypted(await join());
    await near.send(noise(3));
    await near.writable.close();
    assertEquals(await far.recv(), noise(3));
    assertEquals(await far.recv(), null);
    await far.send(noise(100_000));
    await far.writable.close();
    assertEquals(await near.recv(), noise(100_000));
    assertEquals(await near.recv(), null);
    assertEquals([await near.finished, await far.finished], [
      undefined,
      undefined,
    ]);
  }
});

Deno.test("EncryptedChannel understands SecureStream: its bytes are frames", async () => {
  const { near, far } = bareEnds();
  const channel = new EncryptedChannel(near, KEY);
  const stream = await SecureStream.open(far, KEY);
  await stream.write(frameOf(noise(10)));
  assertEquals(await channel.recv(), noise(10));
  await channel.send(noise(20));
  assertEquals(await stream.read(26), frameOf(noise(20)));
  await channel.writable.close();
  assertEquals(await stream.read(1), null);
  await stream.closeWrite();
  assertEquals(await channel.recv(), null);
  assertEquals([await channel.finished, await stream.finished], [
    undefined,
    undefined,
  ]);
});

Deno.test("EncryptedChannel with another key fails every call with one EncryptionError", async () => {
  const { near, far } = bareEnds();
  const one = new EncryptedChannel(near, KEY, { role: "initiator" });
  const other = new EncryptedChannel(far, KEY.with(0, 99), {
    role: "responder",
  });
  const calls = [
    other.ready,
    other.recv(),
    other.flush(),
    other.poll(Infinity),
  ];
  const error = await reasonOf(other.ready);
  assertInstanceOf(error, EncryptionError);
  for (const call of [...calls, other.send(noise(1)), other.recv()]) {
    assertStrictEquals(await reasonOf(call), error);
  }
  assertStrictEquals(await other.finished, error);
  await assertRejects(() => one.ready);
  assertEquals([one.closed, other.closed], [true, true]);
});

Deno.test("EncryptedChannel lets no byte of a stranger reach the frames or zlib", async () => {
  const bombs = [
    frameOf(noise(0), { length: 2 ** 32 - 1 }), // Over every limit.
    frameOf(noise(40), { flag: 1 }), // No zlib data.
    frameOf(noise(200)),
    new Uint8Array(1_000_000),
  ];
  for (const bomb of bombs) {
    // In place of the handshake.
    const first = new EncryptedChannel(pairOf([bomb]), KEY);
    assertInstanceOf(await reasonOf(first.recv()), EncryptionError);
    assertEquals(first.stats.bytesReceived, 0);
    // Behind one that is right.
    const { initiator } = await recordTranscript([], []);
    const answered = Promise.withResolvers<void>();
    let written = 0;
    const writable = new WritableStream<Uint8Array>({
      write(chunk) {
        if ((written += chunk.byteLength) >= 80) answered.resolve();
      },
    });
    const peer = async function* () {
      yield initiator.slice(0, 80);
      await answered.promise;
      yield initiator.slice(80, 99); // READY
      yield concat([bomb, new Uint8Array(65_537)]);
    };
    const second = new EncryptedChannel(
      pairOf(peer(), writable),
      KEY,
      RESPONDER,
    );
    assertInstanceOf(await reasonOf(second.recv()), EncryptionError);
    assertEquals(second.stats.bytesReceived, 0);
    assertInstanceOf(await second.finished, EncryptionError);
  }
});

Deno.test("EncryptedChannel fails both directions for a byte after CLOSE, though it has read the end", async () => {
  const { responder } = await recordTranscript([], [frameOf(noise(4))]);
  const started = Promise.withResolvers<void>();
  const late = Promise.withResolvers<void>();
  let written = 0;
  const writable = new WritableStream<Uint8Array>({
    write(chunk) {
      if ((written += chunk.byteLength) >= 80) started.resolve();
    },
  });
  const peer = async function* () {
    yield responder.slice(0, 32);
    await started.promise;
    yield responder.slice(32);
    await late.promise;
    yield new Uint8Array([0]);
  };
  const channel = new EncryptedChannel(
    pairOf(peer(), writable),
    KEY,
    INITIATOR,
  );
  assertEquals(await channel.recv(), noise(4));
  assertEquals(await channel.recv(), null);
  await channel.send(noise(1));
  late.resolve();
  const failure = await channel.finished;
  assertInstanceOf(failure, EncryptionError);
  assertStrictEquals(await reasonOf(channel.send(noise(1))), failure);
});

Deno.test("EncryptedChannel does not mind how the transport ends after CLOSE", async () => {
  for (const first of ["the failure", "the read"]) {
    const { near, far } = bareEnds();
    const fragile = manualPair({
      write: (chunk) => writer.write(chunk),
    });
    const writer = far.writable.getWriter();
    const relay = (async () => {
      for await (const chunk of far.readable) fragile.source.enqueue(chunk);
    })();
    const one = new EncryptedChannel(near, KEY);
    const other = new EncryptedChannel(fragile, KEY);
    await one.send(noise(10));
    await one.writable.close();
    await relay;
    while (fragile.source.desiredSize !== 0) await settle(); // A failure drops what is queued.
    const fail = () => fragile.source.error(new Error("reset"));
    if (first === "the failure") fail();
    assertEquals(await other.recv(), noise(10));
    assertEquals(await other.recv(), null);
    fail();
    await settle();
    await other.send(noise(20));
    assertEquals(await one.recv(), noise(20));
    one.abort();
    other.abort();
  }
});

Deno.test("EncryptedChannel receives all that was sent though the half close below fails", async () => {
  const { near, far } = memoryEnds();
  const { inbound, outbound } = directionsOf(far);
  const [source, sink] = [inbound.take(), outbound.take()];
  const fragile = new ScriptedStream({
    read: async () => await source.next() ?? null,
    write: (data) => sink.write(data),
    closeWrite: () => Promise.reject(new Deno.errors.NotConnected("gone")),
    close: () => far.close(),
    abort: (reason) => far.abort(reason),
  });
  const sending = new EncryptedChannel(near, KEY);
  const receiving = new EncryptedChannel(fragile, KEY, { highWaterMark: 1 });
  await Promise.all([sending.ready, receiving.ready]);
  const messages = around(40_000).map((size) => noise(size));
  for (const message of messages) await sending.send(message);
  const ended = sending.writable.close();
  await receiving.writable.close();
  for (const message of messages) assertEquals(await receiving.recv(), message);
  assertEquals(await receiving.recv(), null);
  await ended;
  sending.abort();
  receiving.abort();
});

for (
  const [size, ends] of [
    [1000, false],
    [30_000, false],
    [30_000, true],
    [60_000, false],
  ] as const
) {
  Deno.test(`EncryptedChannel receives messages of ${size} bytes that had arrived whole${ends ? ", and the end," : ""} before the connection was reset`, async () => {
    const [near, far] = PipeStream.createPair({ bufferSize: 1_000_000 });
    const { inbound, outbound } = directionsOf(far);
    const [source, sink] = [inbound.take(), outbound.take()];
    let total: Promise<number> | null = null; // Of all that comes before the reset.
    let reset = false;
    const fragile = new ScriptedStream({
      async read() {
        if (reset) throw new Deno.errors.ConnectionReset("reset");
        let arrived = (await source.next())!;
        if (total === null) return arrived;
        while (arrived.byteLength < await total) {
          arrived = concat([arrived, (await source.next())!]);
        }
        reset = true;
        return arrived;
      },
      write: (data) => sink.write(data),
      closeWrite: () => sink.close(),
      close: () => far.close(),
      abort: (reason) => far.abort(reason),
    });
    const sending = new EncryptedChannel(near, KEY);
    const receiving = new EncryptedChannel(fragile, KEY);
    await Promise.all([sending.ready, receiving.ready]);
    await sending.send(noise(1));
    assertEquals(await receiving.recv(), noise(1));

    const sent = Promise.withResolvers<number>();
    total = sent.promise;
    const before = sending.stats.bytesSent;
    for (let n = 0; n < 6; n++) await sending.send(noise(size, n));
    if (ends) await sending.writable.close();
    else await sending.flush();
    sent.resolve(sending.stats.bytesSent - before);
    for (let n = 0; n < 6; n++) {
      assertEquals(await receiving.recv(), noise(size, n));
    }
    if (ends) assertEquals(await receiving.recv(), null);
    else {
      await assertRejects(() => receiving.recv(), ConnectionLostError, "reset");
    }
    sending.abort();
    receiving.abort();
  });
}

Deno.test("EncryptedChannel takes an end without CLOSE for a lost connection, after what was whole", async () => {
  const options: SecureTestOptions = {};
  for (const join of Object.values(JOINTS)) {
    const { near, far } = await join();
    const channel = new EncryptedChannel(near, KEY, options);
    const stream = await SecureStream.open(far, KEY);
    await stream.write(frameOf(noise(5)));
    assertEquals(await channel.recv(), noise(5));
    stream.abort(new ConnectionLostError("gone"));
    const error = await reasonOf(channel.recv());
    assertInstanceOf(error, ConnectionLostError);
    assertStrictEquals(await reasonOf(channel.send(noise(1))), error);
    assertStrictEquals(await channel.finished, error);
  }
});

Deno.test("EncryptedChannel gives up on a silent peer at its deadline", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const pair = manualPair();
    const channel = new EncryptedChannel(pair, KEY, { handshakeTimeout: 1000 });
    const calls = [channel.ready, channel.recv(), channel.flush()];
    mock.timers.tick(999);
    for (const call of calls) assert(await isPending(call));
    mock.timers.tick(1);
    const error = await reasonOf(channel.ready);
    assertInstanceOf(error, StreamTimeoutError);
    assertEquals(error.timeout, 1000);
    for (const call of calls) assertStrictEquals(await reasonOf(call), error);
    assertStrictEquals(await channel.finished, error);
  } finally {
    mock.timers.reset();
  }
});

Deno.test("EncryptedChannel can be aborted and closed within the handshake", async () => {
  const reason = new Error("changed my mind");
  const aborted = manualPair();
  const first = new EncryptedChannel(aborted, KEY);
  const recv = first.recv();
  await settle();
  first.abort(reason);
  assertStrictEquals(await reasonOf(recv), reason);
  assertStrictEquals(await reasonOf(first.ready), reason);
  await first.finished;

  const closed = manualPair();
  const second = new EncryptedChannel(closed, KEY, { closeTimeout: 20 });
  await settle();
  await second.close();
  await assertRejects(() => second.ready);
  await assertRejects(() => second.send(noise(1)));

  for (const pair of [aborted, closed]) {
    await settle();
    await assertRejects(() => pair.writable.getWriter().closed);
    assertEquals((await pair.readable.getReader().read()).done, true);
  }
});

Deno.test("EncryptedChannel tells the peer of an abort at any moment of the handshake", async () => {
  // The moments are those of the platform's threads, so that it takes many.
  const rounds = Array.from({ length: 400 }, async (_, round) => {
    const { near, far } = bareEnds();
    const aborted = new EncryptedChannel(near, KEY);
    const peer = new EncryptedChannel(far, KEY);
    for (let turn = 0; turn < round % 40; turn++) await settle();
    aborted.abort();
    return await peer.finished;
  });
  const failures = await deadline(Promise.all(rounds), 8000);
  for (const failure of failures) assertInstanceOf(failure, StreamError);
});

Deno.test("EncryptedChannel with nothing queued does not wait for a handshake that never comes to close", async () => {
  const channel = new EncryptedChannel(manualPair(), KEY, {
    closeTimeout: 60_000, // With something queued it would wait as long.
  });
  await settle();
  await channel.close();
  assertInstanceOf(await channel.finished, StreamClosedError);
  await assertRejects(() => channel.ready, StreamClosedError);
});

Deno.test("EncryptedChannel refuses a plain Channel at its first frame, without waiting for more", async () => {
  const pair = manualPair();
  const secure = new EncryptedChannel(pair, KEY);
  pair.source.enqueue(frameOf(noise(1)));
  assertInstanceOf(await reasonOf(secure.recv()), EncryptionError);

  const { near, far } = bareEnds();
  const one = new EncryptedChannel(near, KEY);
  const other = new Channel(far);
  await assertRejects(() => one.recv(), StreamError);
  await assertRejects(
    () => other.recv(),
    BufferOverflowError,
    "(the peer encrypts: a key is needed here too)",
  );
});

Deno.test("EncryptedChannel says that a peer which ends without a word may be without a key", async () => {
  const { near, far } = bareEnds();
  const secure = new EncryptedChannel(near, KEY);
  await far.writable.close();
  await assertRejects(
    () => secure.recv(),
    ConnectionLostError,
    "needed 32 bytes, received 0 (the peer may be without a key)",
  );
});

Deno.test("EncryptedChannel copies its key and refuses misuse at once", async () => {
  const { near, far } = bareEnds();
  const key = KEY.slice();
  const one = new EncryptedChannel(near, key);
  key.fill(0);
  const other = new EncryptedChannel(far, KEY);
  await one.send(noise(2));
  assertEquals(await other.recv(), noise(2));
  await Promise.all([one.close(), other.close()]);

  const make =
    (key: Uint8Array, options?: object, pair: ByteStreamPair = manualPair()) =>
    () => new EncryptedChannel(pair, key, options);
  assertThrows(
    make(noise(15)),
    RangeError,
    "Cannot encrypt as key must be 16 to 64 bytes",
  );
  assertThrows(make(new Uint8Array(32)), RangeError, "all its bytes are equal");
  assertThrows(make(KEY, { role: "server" }), TypeError, "role");
  assertThrows(
    make(KEY, { handshakeTimeout: -1 }),
    RangeError,
    "handshakeTimeout",
  );
  assertThrows(make(KEY, { highWaterMark: 0 }), RangeError, "highWaterMark");
  const locked = manualPair();
  locked.writable.getWriter();
  assertThrows(make(KEY, {}, locked), TypeError, "locked");
});

Deno.test("EncryptedChannel says what its stream is closed with after a failed send, too", async () => {
  const { near, far } = encrypted(bareEnds());
  await Promise.all([near.ready, far.ready]);
  await near.close();
  assertInstanceOf(await reasonOf(near.send(noise(1))), StreamClosedError);
  assertEquals(await far.recv(), null);
  await far.close();
});

/** Passes on what one end of a connection sends to another, as `pass` gives it. */
function relay(
  from: ByteStreamPair,
  to: ByteStreamPair,
  pass: (chunk: Uint8Array) => AsyncIterable<Uint8Array> | Uint8Array[],
): Promise<void> {
  const passing = new TransformStream<Uint8Array, Uint8Array>({
    async transform(chunk, controller) {
      for await (const part of pass(chunk)) controller.enqueue(part);
    },
  });
  return from.readable.pipeThrough(passing).pipeTo(to.writable);
}

for (const cancelled of [false, true]) {
  Deno.test(`EncryptedChannel fails both ways at a forged record, though nobody receives${cancelled ? ", or wants to" : ", and keeps what came before"}`, async () => {
    const [left, right] = [memoryEnds(), memoryEnds()];
    await using near = new EncryptedChannel(left.near, KEY);
    await using far = new EncryptedChannel(right.near, KEY, {
      highWaterMark: 1,
    });
    let forging = false;
    const relays = Promise.allSettled([
      relay(left.far, right.far, (chunk) => {
        const passed = chunk.slice();
        if (forging) passed[passed.length - 1]! ^= 1;
        return [passed];
      }),
      relay(right.far, left.far, (chunk) => [chunk]),
    ]);
    for (const size of [5, 6, 7]) {
      await near.send(noise(size));
      await near.flush();
    }
    await settle();
    if (cancelled) await far.readable.cancel();
    forging = true;
    await near.send(noise(8));
    const error = await far.finished;
    assertInstanceOf(error, EncryptionError);
    assertStrictEquals(await reasonOf(far.send(noise(1))), error);
    for (const size of cancelled ? [] : [5, 6, 7]) {
      assertEquals(await far.recv(), noise(size));
    }
    assertStrictEquals(await reasonOf(far.recv()), error);
    near.abort();
    await relays;
  });
}

Deno.test("EncryptedChannel that is closed reads on while a record arrives in small pieces", async () => {
  const [left, right] = [memoryEnds(), memoryEnds()];
  await using near = new EncryptedChannel(left.near, KEY);
  await using far = new EncryptedChannel(right.near, KEY);
  let passed = 0;
  const relays = Promise.allSettled([
    relay(left.far, right.far, (chunk) => [chunk]),
    relay(right.far, left.far, async function* (chunk) {
      for (const part of cut(chunk, 500)) {
        if (chunk.length > 20_000) await delay(4);
        yield part;
        passed += part.length;
      }
    }),
  ]);
  await Promise.all([near.ready, far.ready]);
  await far.send(noise(30_000));
  while (passed < 2000) await delay(1);
  await near.close();
  assertLess(30_000, passed);
  await far.close();
  await relays;
});

Deno.test("EncryptedChannel delivers a prefix of what was sent, whenever the peer gives up", async () => {
  const random = randomOf(seed());
  const below = (limit: number) => Math.floor(random() * limit);
  for (let run = 0; run < 150; run++) {
    const { near: one, far: other } = memoryEnds();
    const near = new EncryptedChannel(one, KEY, { closeTimeout: below(2) });
    const far = new EncryptedChannel(other, KEY, { highWaterMark: 1000 });
    const sizes = Array.from({ length: 12 }, () => 1 + below(300_000));
    const sent = sizes.map((size) => near.send(noise(size)).catch(() => {}));
    const stopAt = below(12);
    let received = 0;
    try {
      for await (const message of far) {
        assertEquals(message, noise(sizes[received]!));
        if (received++ === stopAt) near.close();
      }
    } catch (error) {
      assertInstanceOf(error, ConnectionLostError);
    }
    await Promise.all([near.close(), far.close(), ...sent]);
  }
  await delay(50); // Other threads may still encrypt what nobody wants any more.
});

Deno.test("EncryptedChannel whose readable was cancelled before the handshake was over tells a bare pair", async () => {
  const ends = bareEnds();
  await using near = new EncryptedChannel(ends.near, KEY);
  await using far = new EncryptedChannel(ends.far, KEY);
  await near.readable.cancel();
  await Promise.all([near.ready, far.ready]);
  await far.send(noise(1));
  assertInstanceOf(await far.finished, ConnectionLostError);
});
