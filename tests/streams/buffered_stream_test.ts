import { BatchingChannel, Channel } from "@sluice/sluice/channels";
import {
  BufferOverflowError,
  ConnectionLostError,
  StreamClosedError,
  StreamTimeoutError,
} from "@sluice/sluice/errors";
import {
  BufferedStream,
  DEFAULT_BUFFER_SIZE,
  MAX_BUFFER_SIZE,
  PipeStream,
} from "@sluice/sluice/streams";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { BufferedTransport } from "../../streams/_buffered_transport.ts";
import { failing, ScriptedStream, ScriptedTransport } from "./_scripted.ts";
import { bytes, rejection, turns } from "./_support.ts";

function scripted(bufferSize?: number) {
  const transport = new ScriptedTransport();
  const below = new ScriptedStream(transport);
  const stream = new BufferedStream(below, { bufferSize });
  const lengths = () => transport.written.map(({ length }) => length);
  return { transport, below, stream, lengths };
}

Deno.test("BufferedStream gathers small writes until the buffer is full", async () => {
  const { stream, transport, lengths } = scripted(10);
  for (let i = 0; i < 7; i++) await stream.write(bytes(3));
  await stream.flush();
  assertEquals(lengths(), [9, 9, 3]);
  assertEquals(
    concat(transport.written),
    concat(Array.from({ length: 7 }, () => bytes(3))),
  );
  await stream.close();
});

Deno.test("BufferedStream fills the buffer to its last byte", async () => {
  const { stream, lengths } = scripted(10);
  for (const size of [9, 1, 5, 5, 10, 11, 1]) await stream.write(bytes(size));
  await stream.flush();
  assertEquals(lengths(), [10, 10, 10, 11, 1]);
  await stream.close();
});

Deno.test("BufferedStream gathers 8192 bytes unless it is told otherwise", async () => {
  const { stream, lengths } = scripted();
  assertEquals(DEFAULT_BUFFER_SIZE, 8192);
  for (let i = 0; i < 100; i++) await stream.write(bytes(100));
  await stream.flush();
  assertEquals(lengths(), [8100, 1900]);
  await stream.close();
});

Deno.test("BufferedStream passes a large write on as it is, after what it had gathered", async () => {
  const { stream, lengths, transport } = scripted(100);
  await stream.write(bytes(1));
  await stream.write(bytes(100));
  assertEquals(lengths(), [1, 100]);
  await stream.write(bytes(99));
  assertEquals(lengths(), [1, 100]);
  await stream.flush();
  assertEquals(concat(transport.written).length, 200);
  await stream.close();
});

Deno.test("BufferedStream writes what it gathered at the end of the turn without being asked", async () => {
  const { stream, lengths } = scripted();
  await stream.write(bytes(1));
  await stream.write(bytes(2));
  assertEquals(lengths(), []);
  await turns();
  assertEquals(lengths(), [3]);
  await stream.close();
  assertEquals(lengths(), [3]);
});

Deno.test("BufferedStream settles a small write before the stream below takes it", async () => {
  const { stream, transport, lengths } = scripted(10);
  const gate = Promise.withResolvers<void>();
  transport.gates.write = gate.promise;
  const data = bytes(10);
  await stream.write(data.subarray(0, 6));
  await turns(); // One buffer is under way.
  await stream.write(data.subarray(6)); // The other is being filled.
  data.fill(99);
  const third = stream.write(bytes(7));
  let settled = false;
  third.then(() => settled = true);
  await turns();
  assert(!settled, "more than two buffers were taken");
  gate.resolve();
  await third;
  await stream.flush();
  assertEquals(lengths(), [6, 4, 7]);
  assertEquals(concat(transport.written.slice(0, 2)), bytes(10));
  await stream.close();
});

Deno.test("BufferedStream takes no more than two buffers, however long it goes on", async () => {
  const buffers = new Set<ArrayBufferLike>();
  class Spy extends ScriptedTransport {
    override async write(data: Uint8Array): Promise<void> {
      buffers.add(data.buffer);
      await turns();
    }
  }
  await using stream = new BufferedStream(new ScriptedStream(new Spy()));
  for (let i = 0; i < 60; i++) {
    await stream.write(bytes(10));
    if (i % 10 === 4) await stream.flush();
    if (i % 10 === 9) stream.flush(); // The next goes into the other buffer.
  }
  await stream.flush();
  assertEquals(buffers.size, 2);
});

Deno.test("BufferedStream flushes at closeWrite, and flush() after it waits for that", async () => {
  const { stream, transport, lengths } = scripted();
  await stream.write(bytes(5));
  const ending = stream.closeWrite();
  await stream.flush();
  assertEquals(lengths(), [5]);
  assertEquals(transport.calls, ["write", "closeWrite"]);
  await ending;
  await stream.close();
});

Deno.test("BufferedStream flushes at close, and then closes the stream below", async () => {
  const { stream, below, lengths } = scripted();
  await stream.write(bytes(5));
  await stream.close();
  assertEquals(lengths(), [5]);
  assert(below.closed);
  assertEquals(await stream.finished, undefined);
  assertInstanceOf(await rejection(stream.flush()), StreamClosedError);
});

Deno.test("BufferedStream drops what it gathered at an abort", async () => {
  const { stream, below, lengths } = scripted();
  const reason = new ConnectionLostError("enough");
  await stream.write(bytes(5));
  stream.abort(reason);
  await turns();
  assertEquals(lengths(), []);
  assert(below.closed);
  assertStrictEquals(await rejection(stream.flush()), reason);
});

Deno.test("BufferedStream gives up a close that cannot flush, and finished tells so", async () => {
  const transport = new ScriptedTransport();
  const stream = new ScriptedStream(new BufferedTransport(transport, 10, 20));
  const gate = Promise.withResolvers<void>();
  transport.gates.write = gate.promise;
  await stream.write(bytes(5));
  await stream.close();
  const failure = await stream.finished;
  assertInstanceOf(failure, StreamTimeoutError);
  assertEquals(failure.timeout, 20);
  assertEquals(transport.calls, ["write", "abort"]);
  gate.resolve();
});

Deno.test("An abort cuts short the close of a BufferedStream that cannot flush", async () => {
  const { stream, transport } = scripted(10);
  const gate = Promise.withResolvers<void>();
  transport.gates.write = gate.promise;
  await stream.write(bytes(5));
  const closing = stream.close();
  await turns();
  const reason = new ConnectionLostError("enough");
  stream.abort(reason);
  await closing;
  assertStrictEquals(await stream.finished, reason);
  assertEquals(transport.calls, ["write", "abort"]);
  gate.resolve();
  await turns();
});

Deno.test("BufferedStream fails as a whole when what it gathered cannot be written", async () => {
  const { stream, transport } = scripted();
  const failure = new ConnectionLostError("the cable is out");
  transport.gates.write = failing(failure);
  const read = stream.read(1);
  read.catch(() => {});
  await stream.write(bytes(5)); // Nobody waits for these bytes any more.
  assertStrictEquals(await rejection(read), failure);
  assertStrictEquals(await rejection(stream.write(bytes(1))), failure);
  assertStrictEquals(await rejection(stream.flush()), failure);
  assertStrictEquals(await stream.finished, failure);
});

Deno.test("BufferedStream fails as a whole when somebody else's stream does not take what it gathered", async () => {
  const failure = new ConnectionLostError("the cable is out");
  const stream = new BufferedStream({
    readable: new ReadableStream(),
    writable: new WritableStream({ write: () => failing(failure) }),
  });
  const read = stream.read(1);
  read.catch(() => {});
  await stream.write(bytes(5)); // Nobody waits for these bytes any more.
  assertStrictEquals(await rejection(read), failure);
  assertStrictEquals(await stream.finished, failure);
});

Deno.test("BufferedStream tells at finished that a close lost what was gathered", async () => {
  const { stream, transport } = scripted();
  const failure = new ConnectionLostError("the cable is out");
  transport.gates.write = failing(failure);
  await stream.write(bytes(5));
  await stream.close();
  assertStrictEquals(await stream.finished, failure);
});

Deno.test("BufferedStream flushes through a pipe that has locked it", async () => {
  const { stream, lengths } = scripted();
  const writer = stream.writable.getWriter();
  await writer.write(bytes(5));
  await stream.flush();
  assertEquals(lengths(), [5]);
  await writer.close();
  writer.releaseLock();
  await stream.flush(); // There is nothing left to flush, which is no failure.
  await stream.close();
  assertInstanceOf(await rejection(stream.flush()), StreamClosedError);
});

Deno.test("flush() of a BufferedStream is refused after close(), though a writer has locked it", async () => {
  const { stream } = scripted();
  const writer = stream.writable.getWriter();
  writer.closed.catch(() => {});
  await stream.close();
  assertInstanceOf(await rejection(stream.flush()), StreamClosedError);
});

Deno.test("flush() of a BufferedStream after closeWrite() settles before and after the end of the peer", async () => {
  const { stream, transport } = scripted();
  await stream.closeWrite();
  await stream.flush();
  transport.push(null);
  assertEquals(await stream.read(1), null);
  await stream.flush();
  await stream.close();
  await stream.flush();
});

Deno.test("flush() of a BufferedStream waits for the writes before it, in their turn", async () => {
  const { stream, transport, lengths } = scripted(10);
  const gate = Promise.withResolvers<void>();
  transport.gates.write = gate.promise;
  const writes = [10, 10, 3].map((size) => stream.write(bytes(size)));
  const flushed = stream.flush().then(() => lengths());
  await turns();
  gate.resolve();
  assertEquals(await flushed, [10, 10, 3]);
  await Promise.all(writes);
  await stream.close();
});

Deno.test("BufferedStream serves small reads from one chunk of the stream below", async () => {
  const { stream, transport } = scripted();
  transport.push(bytes(1000));
  for (let i = 0; i < 100; i++) {
    assertEquals(await stream.read(10), bytes(1000).slice(i * 10, i * 10 + 10));
  }
  assertEquals(transport.calls, ["read"]);
  await stream.close();
});

Deno.test("BufferedStream says what the stream below says", async () => {
  const { stream } = scripted();
  assertEquals(stream.info, { transport: "script" });
  await stream.close();
});

Deno.test("BufferedStream refuses a buffer over the limit, and one that is none", async () => {
  const below = new ScriptedStream(new ScriptedTransport());
  const size = MAX_BUFFER_SIZE + 1;
  const error = assertThrows(
    () => new BufferedStream(below, { bufferSize: size }),
    BufferOverflowError,
    "bufferSize must be <= 1048576: current value is 1048577",
  );
  assertEquals([error.size, error.limit], [size, MAX_BUFFER_SIZE]);
  for (const bufferSize of [0, -1, 1.5, NaN]) {
    assertThrows(
      () => new BufferedStream(below, { bufferSize }),
      RangeError,
      `current value is ${bufferSize}`,
    );
  }
  assert(!below.readable.locked && !below.writable.locked);
  await new BufferedStream(below, { bufferSize: MAX_BUFFER_SIZE }).close();
});

Deno.test("BufferedStream refuses a stream that is locked", async () => {
  const below = new ScriptedStream(new ScriptedTransport());
  below.readable.getReader();
  assertThrows(() => new BufferedStream(below), TypeError, "locked");
  await below.close();
});

Deno.test("BufferedStream copies what it passes to a stream of somebody else", async () => {
  const kept: Uint8Array[] = [];
  const stream = new BufferedStream({
    readable: new ReadableStream(),
    writable: new WritableStream({
      write(chunk) {
        kept.push(chunk);
      },
    }),
  }, { bufferSize: 4 });
  assertEquals(stream.info, { transport: "pipe" });
  const data = bytes(5);
  for (const size of [3, 5, 2, 3]) await stream.write(data.subarray(0, size));
  await stream.flush();
  data.fill(99);
  assertEquals(kept, [bytes(3), bytes(5), bytes(2), bytes(3)]);
  await stream.close();
});

Deno.test("A Channel over a BufferedStream answers without a flush", async () => {
  const [near, far] = PipeStream.createPair();
  const options = { bufferSize: 32_768 };
  await using client = new Channel(new BufferedStream(near, options));
  await using server = new Channel(new BufferedStream(far, options));
  for (const size of [0, 1, 100, 32_000, 40_000, 1_000_000]) {
    const [, received] = await Promise.all([
      client.send(bytes(size)),
      server.recv(),
    ]);
    assertEquals(received?.length, size);
    await Promise.all([server.send(received!), client.recv()]);
  }
});

Deno.test("A BatchingChannel over a BufferedStream of 32 KiB delivers what is sent, in order", async () => {
  const [near, far] = PipeStream.createPair();
  await using client = new BatchingChannel(
    new BufferedStream(near, { bufferSize: 32_768 }),
    { batchSize: 20, batchTimeout: 5 },
  );
  await using server = new Channel(far);
  const sending = (async () => {
    for (let i = 0; i < 1000; i++) await client.send(bytes(i));
  })();
  for (let i = 0; i < 1000; i++) {
    assertEquals((await server.recv())?.length, i);
  }
  await sending;
});

Deno.test("Bytes that a BufferedStream gathered reach the peer of a channel that is closed", async () => {
  const [near, far] = PipeStream.createPair();
  const client = new Channel(new BufferedStream(near));
  await using server = new Channel(far);
  await client.send(bytes(10));
  await client.close();
  assertEquals(await server.recv(), bytes(10));
  assertEquals(await server.recv(), null);
});

Deno.test("BufferedStream rejects what is no Uint8Array, and goes on", async () => {
  const { stream, lengths } = scripted();
  await assertRejects(
    () => stream.write([1] as unknown as Uint8Array),
    TypeError,
  );
  await stream.write(bytes(1));
  await stream.close();
  assertEquals(lengths(), [1]);
});

Deno.test("BufferedStream fails with a flush() that fails", async () => {
  const [near, far] = PipeStream.createPair();
  const stream = new BufferedStream(near);
  await far.close();
  await stream.write(new Uint8Array(5));
  const reason = await rejection(stream.flush());
  assertInstanceOf(reason, ConnectionLostError);
  assertStrictEquals(await stream.finished, reason);
  assertStrictEquals(await rejection(stream.read(1)), reason);
  assert(near.closed);
});
