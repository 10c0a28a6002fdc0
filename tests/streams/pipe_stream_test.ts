import { ConnectionLostError, StreamClosedError } from "@sluice/sluice/errors";
import {
  ByteStream,
  MonitoredStream,
  PipeStream,
} from "@sluice/sluice/streams";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Buffer } from "node:buffer";
import { bytes, rejection, turns } from "./_support.ts";

Deno.test("PipeStream.createPair makes two streams that say what they are", async () => {
  const [near, far] = PipeStream.createPair();
  assertInstanceOf(near, ByteStream);
  assertEquals(near.info, { transport: "memory" });
  assertEquals([near.pid, near.status, near.stderr], [
    undefined,
    undefined,
    undefined,
  ]);
  await Promise.all([near.close(), far.close()]);
});

Deno.test("A pair in memory holds exactly bufferSize bytes each way, in writes of any size", async () => {
  for (const bufferSize of [1, 2, 7, 4096, 65_536]) {
    for (const size of [1, 3, 100, 5000, 100_000]) {
      const [near, far] = PipeStream.createPair({ bufferSize });
      const total = (Math.ceil(bufferSize / size) + 3) * size;
      let accepted = 0;
      const writing = (async () => {
        while (accepted < total) {
          await near.write(bytes(size));
          accepted += size;
        }
      })();
      await turns();
      const fits = Math.floor(bufferSize / size) * size;
      assertEquals(accepted, fits, `${bufferSize} in writes of ${size}`);
      let received = 0;
      while (received < total) {
        received += (await far.read(size))!.length;
      }
      await writing;
      await Promise.all([near.close(), far.close()]);
    }
  }
});

Deno.test("A pair in memory takes any number of empty writes and shows none", async () => {
  const [near, far] = PipeStream.createPair({ bufferSize: 1 });
  for (let i = 0; i < 1000; i++) await near.write(bytes(0));
  await near.write(bytes(1));
  await near.write(bytes(0));
  assertEquals(await far.read(1), bytes(1));
  await near.close();
  assertEquals(await far.read(1), null);
  await far.close();
});

Deno.test("A kept chunk of a pair in memory keeps at most 4 KiB of its neighbours alive", async () => {
  const [near, far] = PipeStream.createPair();
  for (const size of [1, 64, 1000, 2047]) {
    for (let i = 0; i < 10; i++) await near.write(bytes(size));
    for (let i = 0; i < 10; i++) {
      const chunk = (await far.read(size))!;
      assertEquals(chunk, bytes(size));
      assert(chunk.buffer.byteLength <= 4096);
    }
  }
  await near.write(bytes(50_000));
  assertEquals((await far.read(50_000))!.buffer.byteLength, 50_000);
  await Promise.all([near.close(), far.close()]);
});

for (const size of [10, 5000]) {
  Deno.test(`A written Buffer of Node of ${size} bytes may be reused, though its slice() is no copy`, async () => {
    const [near, far] = PipeStream.createPair();
    const room = { highWaterMark: 5 };
    const loop = new TransformStream<Uint8Array, Uint8Array>({}, room, room);
    const bare = new PipeStream(loop.readable, loop.writable);
    for (const [output, input] of [[near, far], [bare, bare]] as const) {
      const data = Buffer.from(bytes(size));
      await output.write(data);
      data.fill(0xee);
      assertEquals(await input.read(size), bytes(size));
    }
    await Promise.all([near.close(), far.close(), bare.close()]);
  });
}

Deno.test("Small writes to a pair in memory share memory, and arrive in one chunk", async () => {
  const [near, far] = PipeStream.createPair();
  for (let i = 0; i < 100; i++) await near.write(bytes(10));
  const reader = far.readable.getReader();
  assertEquals((await reader.read()).value?.length, 1000);
  reader.releaseLock();
  await Promise.all([near.close(), far.close()]);
});

Deno.test("A pair in memory refuses a bufferSize that is no integer from 1", () => {
  for (const bufferSize of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(
      () => PipeStream.createPair({ bufferSize }),
      RangeError,
      `bufferSize as it must be an integer from 1 to ${Number.MAX_SAFE_INTEGER}: current value is ${bufferSize}`,
    );
  }
});

Deno.test("The peer of an end in memory that is closed within a write loses the rest", async () => {
  const [near, far] = PipeStream.createPair({ bufferSize: 10 });
  const write = near.write(bytes(11));
  write.catch(() => {});
  await near.close();
  assertInstanceOf(await rejection(write), StreamClosedError);
  assertEquals(await far.read(10), bytes(10));
  await assertRejects(
    () => far.read(1),
    ConnectionLostError,
    "the peer closed the stream within a write",
  );
});

Deno.test("The peer of an end in memory that is aborted loses what was on its way", async () => {
  const [near, far] = PipeStream.createPair();
  await near.write(bytes(10));
  const stuck = far.write(bytes(100_000));
  stuck.catch(() => {});
  near.abort();
  const error = await rejection(stuck);
  assertInstanceOf(error, ConnectionLostError);
  assertStringIncludes(error.message, "the peer aborted the stream");
  assertStrictEquals(await rejection(far.read(1)), error);
});

Deno.test("PipeStream copies what it hands to a stream of somebody else", async () => {
  const kept: Uint8Array[] = [];
  const stream = new PipeStream(
    new ReadableStream(),
    new WritableStream({
      write(chunk) {
        kept.push(chunk);
      },
    }),
  );
  assertEquals(stream.info, { transport: "pipe" });
  const data = bytes(3);
  await stream.write(data);
  data.fill(9);
  assertEquals(kept, [bytes(3)]);
  await stream.close();
});

Deno.test("PipeStream does not wait for somebody to read an empty write", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const stream = new PipeStream(new ReadableStream(), writable);
  const reading = readable.getReader().read();
  for (let i = 0; i < 10; i++) await stream.write(bytes(0));
  await stream.write(bytes(3));
  assertEquals((await reading).value, bytes(3));
  await stream.close();
});

Deno.test("PipeStream takes a chunk that is no Uint8Array for a failure", async () => {
  const stream = new PipeStream(
    ReadableStream.from(["text"]) as ReadableStream<never>,
    new WritableStream(),
  );
  const error = await assertRejects(() => stream.read(1), ConnectionLostError);
  assertInstanceOf(error.cause, TypeError);
});

Deno.test("PipeStream skips empty chunks of a stream of somebody else", async () => {
  const stream = new PipeStream(
    ReadableStream.from([bytes(0), bytes(1), bytes(0), bytes(2), bytes(0)]),
    new WritableStream(),
  );
  const reader = stream.readable.getReader();
  assertEquals((await reader.read()).value?.length, 1);
  assertEquals((await reader.read()).value?.length, 2);
  assert((await reader.read()).done);
  await stream.close();
});

Deno.test("PipeStream refuses a stream that is locked, and locks no other", () => {
  const readable = new ReadableStream<Uint8Array>();
  const writable = new WritableStream<Uint8Array>();
  readable.getReader();
  assertThrows(() => new PipeStream(readable, writable), TypeError, "locked");
  assert(!writable.locked);
});

Deno.test("PipeStream is let go of by somebody else's streams that never settle", async () => {
  const never = new Promise<never>(() => {});
  const make = () =>
    new PipeStream(
      new ReadableStream({ pull: () => never, cancel: () => never }),
      new WritableStream({
        write: () => never,
        close: () => never,
        abort: () => never,
      }),
    );
  const aborted = make();
  const closed = make();
  for (const stream of [aborted, closed]) {
    stream.read(1).catch(() => {});
    stream.write(bytes(1)).catch(() => {});
  }
  const reason = new Error("enough");
  const calls = [aborted.read(1), aborted.write(bytes(1))];
  const outcomes = Promise.allSettled(calls);
  await turns(); // The first of each is under way.
  aborted.abort(reason);
  for (const outcome of await outcomes) {
    assertEquals(outcome, { status: "rejected", reason });
  }
  await Promise.all([aborted.close(), closed.close()]);
});

Deno.test("a write into a stream of somebody else that is stuck ends with close(), as those that wait", async () => {
  const stuck = {
    readable: new ReadableStream<Uint8Array>(),
    writable: new WritableStream<Uint8Array>({
      write: () => new Promise(() => {}),
    }),
  };
  const stream = new PipeStream(stuck.readable, stuck.writable);
  const writes = [1, 2].map(() => rejection(stream.write(bytes(10))));
  await stream.close();
  for (const write of writes) {
    assertInstanceOf(await write, StreamClosedError);
  }
});

Deno.test("finished waits for the end of somebody else's pair after an abort, but not for ever", async () => {
  const never = () => new Promise<void>(() => {});
  for (const own of [{ close: never }, { abort: never }]) {
    const stream = new MonitoredStream({
      readable: new ReadableStream<Uint8Array>(),
      writable: new WritableStream<Uint8Array>(),
      ...own,
    });
    const reason = new ConnectionLostError("enough");
    stream.abort(reason);
    assertStrictEquals(await stream.finished, reason);
    await stream.close();
  }
});

Deno.test("close() waits for the close of somebody else's pair, but not for ever", async () => {
  for (
    const [what, closed] of Object.entries({
      settles: () => Promise.resolve(),
      "never settles": () => new Promise<void>(() => {}),
    })
  ) {
    const pair = {
      readable: new ReadableStream<Uint8Array>(),
      writable: new WritableStream<Uint8Array>(),
      close: closed,
    };
    const stream = new MonitoredStream(pair);
    await stream.close();
    assertEquals(await stream.finished, undefined, what);
  }
});
