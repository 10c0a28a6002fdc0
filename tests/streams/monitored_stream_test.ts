import { Channel } from "@sluice/sluice/channels";
import { ConnectionLostError } from "@sluice/sluice/errors";
import {
  MonitoredStream,
  PipeStream,
  type StreamStats,
} from "@sluice/sluice/streams";
import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { failing, ScriptedStream, ScriptedTransport } from "./_scripted.ts";
import { bytes, rejection, turns } from "./_support.ts";

/** Runs `body` with `console.error` noted instead of shown. */
async function complaints(body: () => Promise<void>): Promise<unknown[][]> {
  const noted: unknown[][] = [];
  const { error } = console;
  console.error = (...args: unknown[]) => noted.push(args);
  try {
    await body();
  } finally {
    console.error = error;
  }
  return noted;
}

Deno.test("MonitoredStream counts and tells what goes through, both ways", async () => {
  const [near, far] = PipeStream.createPair();
  const log: [string, number, number][] = [];
  const stream = new MonitoredStream(near, {
    onRead: (size, data) => log.push(["read", size, data.length]),
    onWrite: (size, data) => log.push(["write", size, data.length]),
  });
  assertEquals(stream.info, { transport: "memory" });
  await stream.write(bytes(10));
  await stream.write(bytes(20));
  await far.write(bytes(5));
  assertEquals(await stream.read(2), bytes(2));
  assertEquals(log, [["write", 10, 10], ["write", 20, 20], ["read", 5, 5]]);
  assertEquals([stream.bytesSent, stream.bytesReceived], [30, 5]);
  await Promise.all([stream.close(), far.close()]);
});

Deno.test("MonitoredStream does not count a write that failed", async () => {
  const transport = new ScriptedTransport();
  const failure = new ConnectionLostError("the cable is out");
  transport.gates.write = failing(failure);
  let stats: StreamStats | undefined;
  const stream = new MonitoredStream(new ScriptedStream(transport), {
    onWrite: () => {
      throw new Error("called for a write that failed");
    },
    onClose: (all) => stats = all,
  });
  assertStrictEquals(await rejection(stream.write(bytes(1))), failure);
  await stream.finished;
  assertEquals(stream.bytesSent, 0);
  assertStrictEquals(stats?.error, failure);
});

Deno.test("MonitoredStream tells its end once, with all it knows", async () => {
  const [near, far] = PipeStream.createPair();
  const ends: StreamStats[] = [];
  const stream = new MonitoredStream(near, { onClose: (s) => ends.push(s) });
  await stream.write(bytes(10));
  const before = stream.duration;
  await Promise.all([stream.close(), stream.close(), far.close()]);
  stream.abort();
  await turns();
  assertEquals(ends.length, 1);
  const { bytesSent, bytesReceived, duration, error } = ends[0]!;
  assertEquals([bytesSent, bytesReceived, error], [10, 0, undefined]);
  assertGreaterOrEqual(duration, before);
  assertEquals(stream.duration, duration); // It stands still from then on.
});

Deno.test("MonitoredStream tells an end that nobody asked for", async () => {
  const [near, far] = PipeStream.createPair();
  const { promise, resolve } = Promise.withResolvers<StreamStats>();
  const stream = new MonitoredStream(near, { onClose: resolve });
  await Promise.all([stream.closeWrite(), far.closeWrite()]);
  assertEquals(await stream.read(1), null);
  assertEquals((await promise).error, undefined);
  await far.close();
});

Deno.test("MonitoredStream goes on whatever its callbacks throw, and complains once", async () => {
  const [near, far] = PipeStream.createPair();
  const fail = () => {
    throw new Error("a bug of the watcher");
  };
  const noted = await complaints(async () => {
    const stream = new MonitoredStream(near, {
      onRead: fail,
      onWrite: fail,
      onClose: fail,
    });
    await stream.write(bytes(3));
    assertEquals(await far.read(3), bytes(3));
    await far.write(bytes(3));
    assertEquals(await stream.read(3), bytes(3));
    await Promise.all([stream.close(), far.close()]);
    assertEquals(await stream.finished, undefined);
    assertEquals([stream.bytesSent, stream.bytesReceived], [3, 3]);
  });
  assertEquals(noted.length, 1);
  assertInstanceOf(noted[0]?.[1], Error);
});

Deno.test("MonitoredStream does not let a rejected promise of a callback end the process", async () => {
  const [near, far] = PipeStream.createPair();
  const noted = await complaints(async () => {
    const stream = new MonitoredStream(near, {
      onWrite: () => Promise.reject(new Error("a bug of the watcher")),
    });
    await stream.write(bytes(3));
    await turns();
    await Promise.all([stream.close(), far.close()]);
  });
  assertEquals(noted.length, 1);
});

Deno.test("MonitoredStream copies nothing on its way to a stream of ours", async () => {
  const transport = new ScriptedTransport();
  const written: Uint8Array[] = [];
  transport.write = (data) => {
    written.push(data);
    return Promise.resolve();
  };
  const stream = new MonitoredStream(new ScriptedStream(transport));
  const data = bytes(100);
  const chunk = bytes(100);
  await stream.write(data);
  assertStrictEquals(written[0], data);
  transport.push(chunk);
  assertStrictEquals(await stream.read(100), chunk);
  await stream.close();
});

Deno.test("MonitoredStream hands on the memory that a reader would like to have filled", async () => {
  const transport = new ScriptedTransport();
  const wanted: number[] = [];
  const { read } = transport;
  transport.read = (into?: Uint8Array) => {
    wanted.push(into?.length ?? 0);
    return read.call(transport);
  };
  const frame = new Uint8Array(5 + 500_000 + 1);
  new DataView(frame.buffer).setUint32(0, 500_000);
  transport.push(frame.subarray(0, 100_000), frame.subarray(100_000));
  const stream = new MonitoredStream(new ScriptedStream(transport));
  await using channel = new Channel(stream);
  assertEquals((await channel.recv())?.length, 500_000);
  assert(wanted.some((size) => size > 0), `asked for ${wanted}`);
  assertEquals(stream.bytesReceived, frame.length);
});

Deno.test("MonitoredStream does not tell of an empty chunk", async () => {
  const transport = new ScriptedTransport();
  const sizes: number[] = [];
  const stream = new MonitoredStream(new ScriptedStream(transport), {
    onRead: (size) => sizes.push(size),
  });
  transport.push(bytes(0), bytes(2), bytes(0), null);
  assertEquals(await stream.read(2), bytes(2));
  assertEquals(await stream.read(1), null);
  assertEquals(sizes, [2]);
  await stream.close();
});

Deno.test("MonitoredStream copies for a stream of somebody else", async () => {
  const kept: Uint8Array[] = [];
  const stream = new MonitoredStream({
    readable: new ReadableStream(),
    writable: new WritableStream({
      write(chunk) {
        kept.push(chunk);
      },
    }),
  });
  const data = bytes(3);
  await stream.write(data);
  data.fill(9);
  assertEquals(kept, [bytes(3)]);
  await stream.close();
});

Deno.test("MonitoredStream counts all bytes of a channel, frames included", async () => {
  const [near, far] = PipeStream.createPair();
  const stream = new MonitoredStream(near);
  const client = new Channel(stream);
  const server = new Channel(far);
  await client.send(bytes(10));
  assertEquals(await server.recv(), bytes(10));
  await server.send(bytes(0));
  assertEquals(await client.recv(), bytes(0));
  assertEquals([stream.bytesSent, stream.bytesReceived], [16, 6]);
  await Promise.all([client.close(), server.close()]);
});

Deno.test("MonitoredStream refuses a stream that is locked", async () => {
  const below = new ScriptedStream(new ScriptedTransport());
  below.writable.getWriter();
  assertThrows(() => new MonitoredStream(below), TypeError, "locked");
  await below.close();
});
