import { Channel } from "@sluice/sluice/channels";
import {
  ConnectionLostError,
  EncryptionError,
  StreamClosedError,
} from "@sluice/sluice/errors";
import { type ByteTransport, MonitoredStream } from "@sluice/sluice/streams";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { directionsOf } from "../../streams/byte_stream.ts";
import { frameOf } from "../channels/_support.ts";
import { generator } from "./_random.ts";
import { failing, ScriptedStream, ScriptedTransport } from "./_scripted.ts";
import { bytes, rejection, turns } from "./_support.ts";

function scripted() {
  const transport = new ScriptedTransport();
  return { transport, stream: new ScriptedStream(transport) };
}

/** Wraps a transport, and notes each promise to it that is broken. */
function guarded(transport: ByteTransport, faults: string[]): ByteTransport {
  const underWay = new Set<string>();
  let over: "closing" | "closed" | "aborted" | undefined;
  let ended = false;
  const guard = async <T>(name: string, call: () => Promise<T>): Promise<T> => {
    if (over) faults.push(`${name} after the close`);
    if (ended && name !== "read") faults.push(`${name} after closeWrite`);
    if (underWay.has(name)) faults.push(`two ${name}s at once`);
    underWay.add(name);
    try {
      return await call();
    } finally {
      underWay.delete(name);
    }
  };
  return {
    read: (into) => guard("read", () => transport.read(into)),
    write: (data) => guard("write", () => transport.write(data)),
    closeWrite() {
      const done = guard("closeWrite", () => transport.closeWrite());
      ended = true;
      return done;
    },
    close() {
      if (over) faults.push("close twice");
      over = "closing";
      return transport.close().finally(() => over = "closed");
    },
    abort(reason) {
      if (over && over !== "closing") faults.push(`abort after ${over}`);
      over = "aborted";
      return transport.abort(reason);
    },
  };
}

Deno.test("ByteStream asks its transport for nothing before somebody reads", async () => {
  const { transport, stream } = scripted();
  const reader = stream.readable.getReader();
  stream.writable;
  await turns();
  assertEquals(transport.calls, []);
  transport.push(bytes(3), bytes(4));
  assertEquals((await reader.read()).value, bytes(3));
  await turns();
  assertEquals(transport.calls, ["read"]);
  reader.releaseLock();
  assertEquals(await stream.read(0), bytes(0));
  assertEquals(transport.calls, ["read"]);
  await stream.close();
});

Deno.test("ByteStream keeps its promises to the transport under any sequence of calls", async () => {
  const { random, seed } = generator();
  for (let round = 0; round < 200; round++) {
    const faults: string[] = [];
    const transport = new ScriptedTransport();
    const stream = new ScriptedStream(guarded(transport, faults));
    const pending: Promise<unknown>[] = [];
    const controllers: AbortController[] = [];
    const signal = () => {
      if (random.integer(0, 1) === 0) return undefined;
      const controller = new AbortController();
      controllers.push(controller);
      return controller.signal;
    };
    const actions: (() => Promise<unknown> | void)[] = [
      () => stream.read(random.integer(0, 20), { signal: signal() }),
      () => stream.read(random.integer(0, 20)),
      () => stream.write(bytes(random.integer(0, 20)), { signal: signal() }),
      () => stream.write(bytes(5)),
      () => transport.push(bytes(random.integer(0, 20))),
      () => controllers.pop()?.abort(new Error("changed my mind")),
      () => turns(1),
      () => {
        const reader = stream.readable.getReader();
        pending.push(reader.read());
        reader.closed.catch(() => {});
        reader.releaseLock();
      },
      () => {
        const writer = stream.writable.getWriter();
        pending.push(writer.write(bytes(3)));
        writer.closed.catch(() => {});
        writer.ready.catch(() => {});
        writer.releaseLock();
      },
      () => random.integer(0, 9) === 0 ? stream.closeWrite() : undefined,
      () => random.integer(0, 19) === 0 ? stream.close() : undefined,
      () => random.integer(0, 19) === 0 ? stream.abort() : undefined,
      () => random.integer(0, 19) === 0 ? transport.push(null) : undefined,
      () => random.integer(0, 19) === 0 ? stream.readable.cancel() : undefined,
    ];
    for (let step = 0; step < 30; step++) {
      const done = actions[random.integer(0, actions.length - 1)]!();
      if (done) pending.push(done);
      pending.forEach((promise) => promise.catch(() => {}));
      if (random.integer(0, 2) === 0) transport.push(bytes(7));
    }
    await stream.close();
    await Promise.allSettled(pending);
    await stream.finished;
    assertEquals(faults, [], `round ${round}, seed ${seed}`);
  }
});

Deno.test("A reader that is released leaves no second read of the transport, and its chunk to the next", async () => {
  const faults: string[] = [];
  const transport = new ScriptedTransport();
  const stream = new ScriptedStream(guarded(transport, faults));
  const reader = stream.readable.getReader();
  const given = reader.read();
  given.catch(() => {});
  await turns();
  reader.releaseLock();
  const read = stream.read(3);
  await turns();
  assertEquals(transport.calls, ["read"]);
  transport.push(bytes(1), bytes(3));
  assertEquals(await read, concat([bytes(1), bytes(3)]).subarray(0, 3));
  assertEquals(await stream.read(1), bytes(3).subarray(2));
  assertEquals(faults, []);
  await stream.close();
});

Deno.test("What a released reader had asked for is read by the next one", async () => {
  const { transport, stream } = scripted();
  const first = stream.readable.getReader();
  first.read().catch(() => {});
  await turns();
  first.releaseLock();
  const second = stream.readable.getReader();
  const read = second.read();
  transport.push(bytes(1));
  assertEquals(await read, { done: false, value: bytes(1) });

  second.read().catch(() => {});
  await turns();
  second.releaseLock();
  transport.push(bytes(2)); // Nobody reads at this moment.
  await turns();
  transport.push(bytes(3));
  const third = stream.readable.getReader();
  assertEquals(await third.read(), { done: false, value: bytes(2) });
  assertEquals(await third.read(), { done: false, value: bytes(3) });
  await stream.close();
});

for (const next of ["read()", "a channel"]) {
  Deno.test(`What came for a reader that did not ask for it is there for ${next}, in order`, async () => {
    const { transport, stream } = scripted();
    const first = stream.readable.getReader();
    first.read().catch(() => {});
    await turns();
    first.releaseLock();
    const second = stream.readable.getReader(); // Has the lock, and reads nothing.
    const frames = [frameOf(bytes(1)), frameOf(bytes(2)), frameOf(bytes(3))];
    transport.push(frames[0]!);
    await turns();
    second.releaseLock();
    transport.push(frames[1]!, frames[2]!);
    if (next === "read()") {
      assertEquals(await stream.read(20), concat(frames).subarray(0, 20));
    } else {
      const channel = new Channel(stream);
      for (const size of [1, 2, 3]) {
        assertEquals(await channel.recv(), bytes(size));
      }
    }
    stream.abort();
  });
}

Deno.test("ByteStream of which nobody awaits closeWrite() cannot end the process", async () => {
  const { transport, stream } = scripted();
  transport.gates.closeWrite = Promise.withResolvers<void>().promise;
  stream.closeWrite(); // The close comes first, and it rejects.
  await stream.close();
  stream.closeWrite();
  await turns();
  await assertRejects(() => stream.closeWrite(), StreamClosedError);
});

Deno.test("A half close that fails leaves what is still to be read to whoever has the stream for good", async () => {
  const { transport, stream } = scripted();
  transport.gates.closeWrite = failing(new Deno.errors.NotConnected("gone"));
  const { inbound, outbound } = directionsOf(stream);
  const [source, sink] = [inbound.take(), outbound.take()];
  await assertRejects(() => sink.close(), ConnectionLostError, "gone");
  transport.push(bytes(3));
  assertEquals(await source.next(), bytes(3));
  stream.abort();
});

Deno.test("What the platform fails with becomes the cause of a ConnectionLostError", async () => {
  const causes = [
    new Deno.errors.ConnectionReset("reset"),
    new Deno.errors.BrokenPipe("pipe"),
    new Deno.errors.UnexpectedEof("no close_notify"),
    new Deno.errors.ConnectionAborted("aborted"),
    new Deno.errors.TimedOut("timed out"),
    new Deno.errors.Interrupted("interrupted"),
    new Deno.errors.BadResource("gone"),
    new Error("anything"),
    "a string",
  ];
  for (const cause of causes) {
    const text = cause instanceof Error ? cause.message : cause;
    const reading = scripted();
    reading.transport.gates.read = failing(cause);
    const read = await assertRejects(
      () => reading.stream.read(1),
      ConnectionLostError,
      `Cannot read: ${text}`,
    );
    assertStrictEquals(read.cause, cause);
    const writing = scripted();
    writing.transport.gates.write = failing(cause);
    const write = await assertRejects(
      () => writing.stream.write(bytes(1)),
      ConnectionLostError,
      `Cannot write: ${text}`,
    );
    assertStrictEquals(write.cause, cause);
    const ending = scripted();
    ending.transport.gates.closeWrite = failing(cause);
    const end = await assertRejects(
      () => ending.stream.closeWrite(),
      ConnectionLostError,
      `Cannot end the stream: ${text}`,
    );
    assertStrictEquals(end.cause, cause);
  }
});

Deno.test("A StreamError of the transport stays what it is", async () => {
  const { transport, stream } = scripted();
  const failure = new EncryptionError("wrong key");
  transport.gates.read = failing(failure);
  assertStrictEquals(await rejection(stream.read(1)), failure);
  assertStrictEquals(await stream.finished, failure);
});

for (const culprit of ["read", "write", "closeWrite"] as const) {
  Deno.test(`All four promises fail with the one reason of a failed ${culprit}`, async () => {
    const { transport, stream } = scripted();
    const failure = new ConnectionLostError("the cable is out");
    const gate = Promise.withResolvers<never>();
    transport.gates[culprit] = gate.promise;
    const reader = stream.readable.getReader();
    const writer = stream.writable.getWriter();
    const promises = [
      reader.read(),
      reader.closed,
      ...(culprit === "write" ? [writer.write(bytes(1))] : []),
      ...(culprit === "closeWrite" ? [writer.close()] : []),
      writer.closed,
    ];
    const outcomes = Promise.allSettled(promises);
    await turns();
    gate.reject(failure);
    for (const outcome of await outcomes) {
      assertEquals(outcome, { status: "rejected", reason: failure });
    }
    assertStrictEquals(await rejection(writer.write(bytes(1))), failure);
    assertStrictEquals(await rejection(reader.read()), failure);
    assertStrictEquals(await stream.finished, failure);
    assertEquals(transport.calls.at(-1), "abort");
  });
}

Deno.test("A failed write is told by reader.closed though nobody reads, and the other way round", async () => {
  for (const culprit of ["read", "write"] as const) {
    const { transport, stream } = scripted();
    const failure = new ConnectionLostError("the cable is out");
    transport.gates[culprit] = failing(failure);
    const reader = stream.readable.getReader();
    const writer = stream.writable.getWriter();
    const failed = culprit === "read" ? reader.read() : writer.write(bytes(1));
    assertStrictEquals(await rejection(failed), failure);
    assertStrictEquals(await rejection(reader.closed), failure);
    assertStrictEquals(await rejection(writer.closed), failure);
  }
});

Deno.test("Web streams that are asked for after a failure tell it too", async () => {
  const { stream } = scripted();
  const reason = new Error("enough");
  stream.abort(reason);
  const { readable, writable } = stream;
  assertStrictEquals(await rejection(readable.getReader().read()), reason);
  assertStrictEquals(
    await rejection(writable.getWriter().write(bytes(1))),
    reason,
  );
});

Deno.test("ByteStream closes its transport once, when both directions are over", async () => {
  const { transport, stream } = scripted();
  transport.push(bytes(1), null);
  await stream.closeWrite();
  assertEquals(await stream.read(1), bytes(1));
  assert(!stream.closed);
  assertEquals(await stream.read(1), null);
  assert(stream.closed);
  assertEquals(await stream.finished, undefined);
  await stream.close();
  stream.abort();
  assertEquals(transport.calls, ["closeWrite", "read", "read", "close"]);
  assertEquals(await stream.read(1), null);
  await assertRejects(() => stream.write(bytes(1)), StreamClosedError);
});

Deno.test("finished waits until the transport is let go of", async () => {
  for (const how of ["close", "abort"] as const) {
    const { transport, stream } = scripted();
    const gate = Promise.withResolvers<void>();
    transport.close = () => gate.promise;
    transport.abort = () => gate.promise;
    let finished = false;
    stream.finished.then(() => finished = true);
    const done = stream[how]();
    await turns();
    assert(!finished && stream.closed, how);
    gate.resolve();
    await done;
    await stream.finished;
  }
});

Deno.test("An abort cuts a close short: finished tells it, and calls go on as they did", async () => {
  const { transport, stream } = scripted();
  transport.gates.close = new Promise(() => {});
  const closing = stream.close();
  const reason = new ConnectionLostError("enough");
  stream.abort(reason);
  stream.abort(new Error("and again"));
  await closing;
  assertStrictEquals(await stream.finished, reason);
  assertEquals(transport.calls, ["close", "abort"]);
  await assertRejects(() => stream.read(1), StreamClosedError, "was closed");
  await assertRejects(() => stream.write(bytes(1)), StreamClosedError);
});

Deno.test("An abort after both directions have ended cuts short how the transport is let go of", async () => {
  const { transport, stream } = scripted();
  transport.gates.close = new Promise(() => {});
  transport.push(null);
  await stream.closeWrite();
  assertEquals(await stream.read(1), null);
  const reason = new ConnectionLostError("enough");
  stream.abort(reason);
  assertStrictEquals(await stream.finished, reason);
  assertEquals(transport.calls, ["closeWrite", "read", "close", "abort"]);
  assertStrictEquals(await rejection(stream.read(1)), reason);
  assertStrictEquals(await rejection(stream.write(bytes(1))), reason);
});

Deno.test("The signal of a write that a close waits for cuts that short", async () => {
  const { transport, stream } = scripted();
  const gate = Promise.withResolvers<void>();
  transport.gates.write = gate.promise;
  transport.gates.close = gate.promise;
  const controller = new AbortController();
  const write = rejection(
    stream.write(bytes(1), { signal: controller.signal }),
  );
  await turns();
  const closing = stream.close();
  const reason = new ConnectionLostError("enough");
  controller.abort(reason);
  await closing;
  assertStrictEquals(await stream.finished, reason);
  gate.resolve();
  assertInstanceOf(await write, StreamClosedError);
});

Deno.test("What fails because the transport is being closed does not cut the close short", async () => {
  const { transport, stream } = scripted();
  const cut = Promise.withResolvers<never>();
  const closed = Promise.withResolvers<void>();
  transport.gates.read = cut.promise;
  transport.gates.close = closed.promise;
  const read = rejection(stream.read(1));
  await turns();
  const closing = stream.close();
  cut.reject(new Deno.errors.Interrupted("closed"));
  assertInstanceOf(await read, StreamClosedError);
  closed.resolve();
  await closing;
  assertEquals(await stream.finished, undefined);
  assertEquals(transport.calls, ["read", "close"]);
});

Deno.test("What the platform complains about while it is let go of reaches nobody", async () => {
  const { transport, stream } = scripted();
  transport.gates.close = failing(new Deno.errors.BadResource("gone"));
  await stream.close();
  assertEquals(await stream.finished, undefined);
});

Deno.test("finished tells of bytes that a close lost, though the close does not reject", async () => {
  const { transport, stream } = scripted();
  const failure = new ConnectionLostError("it was too slow");
  transport.gates.close = failing(failure);
  await stream.close();
  assertStrictEquals(await stream.finished, failure);
});

Deno.test("ByteStream ends its direction after the writes before it, and takes none after", async () => {
  const { transport, stream } = scripted();
  const gate = Promise.withResolvers<void>();
  transport.gates.write = gate.promise;
  const writes = [stream.write(bytes(1)), stream.write(bytes(2))];
  const ending = stream.closeWrite();
  const late = rejection(stream.write(bytes(3)));
  await turns();
  assertEquals(transport.calls, ["write"]);
  gate.resolve();
  await Promise.all([...writes, ending]);
  assertInstanceOf(await late, StreamClosedError);
  assertEquals(transport.calls, ["write", "write", "closeWrite"]);
  assertEquals(transport.written, [bytes(1), bytes(2)]);
  await stream.close();
});

Deno.test("ByteStream shows no empty chunk", async () => {
  const { transport, stream } = scripted();
  transport.push(bytes(0), bytes(2), bytes(0), bytes(0), bytes(1), null);
  const chunks: number[] = [];
  for await (const chunk of stream.readable) chunks.push(chunk.length);
  assertEquals(chunks, [2, 1]);
  await stream.close();
});

Deno.test("ByteStream reads in chunks what exact reads left over", async () => {
  const { transport, stream } = scripted();
  transport.push(bytes(10), bytes(5), null);
  assertEquals(await stream.read(4), bytes(4));
  const rest: Uint8Array[] = [];
  for await (const chunk of stream.readable) rest.push(chunk);
  assertEquals(concat(rest), concat([bytes(10).subarray(4), bytes(5)]));
  await stream.close();
});

Deno.test("An end within a read leaves the bytes before it for a smaller read", async () => {
  const { transport, stream } = scripted();
  transport.push(bytes(3), null);
  const error = await assertRejects(
    () => stream.read(5),
    ConnectionLostError,
    "needed 5 bytes, received 3",
  );
  assertEquals([error.received, error.expected], [3, 5]);
  assertEquals(await stream.read(3), bytes(3));
  assertEquals(await stream.read(1), null);
  await stream.close();
});

Deno.test("A stream whose unread bytes were transferred along with read ones fails, and skips none", async () => {
  const nextOf: ((stream: ScriptedStream) => Promise<unknown>)[] = [
    (stream) => stream.read(4),
    (stream) => stream.read(12), // Of which later ones have come.
    (stream) => stream.readable.getReader().read(),
    (stream) => new MonitoredStream(stream).read(4),
  ];
  for (const next of nextOf) {
    const { transport, stream } = scripted();
    transport.push(bytes(10), bytes(10));
    const { buffer } = (await stream.read(4))!;
    structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
    const failure = await rejection(next(stream));
    assertInstanceOf(failure, ConnectionLostError);
    assertInstanceOf(failure.cause, TypeError);
    assertStrictEquals(await stream.finished, failure);
  }
});

Deno.test("Bytes that were read may be transferred if no others go with them", async () => {
  const { transport, stream } = scripted();
  transport.push(bytes(10), bytes(3));
  const { buffer } = (await stream.read(10))!;
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
  assertEquals(await stream.read(3), bytes(3));
  await stream.close();
});

Deno.test("No read overtakes another because one between them was aborted", async () => {
  const { transport, stream } = scripted();
  const controller = new AbortController();
  const { signal } = controller;
  const first = stream.read(4);
  const second = stream.read(1, { signal });
  const third = stream.read(2);
  second.catch(() => {});
  controller.abort(new Error("changed my mind"));
  await rejection(second);
  transport.push(bytes(3));
  await turns();
  transport.push(bytes(3));
  const all = concat([bytes(3), bytes(3)]);
  assertEquals(await first, all.subarray(0, 4));
  assertEquals(await third, all.subarray(4));
  await stream.close();
});

Deno.test("A read that was aborted when its bytes arrive leaves them to the next", async () => {
  // The abort and the bytes in one turn, in either order.
  for (const abortFirst of [true, false]) {
    for (let hops = 0; hops < 12; hops++) {
      const { transport, stream } = scripted();
      const controller = new AbortController();
      const { signal } = controller;
      const first = stream.read(3, { signal });
      first.catch(() => {});
      await turns(1);
      const abort = async () => {
        for (let i = 0; i < hops; i++) await undefined;
        controller.abort(new Error("changed my mind"));
      };
      if (abortFirst) abort();
      transport.push(bytes(3));
      if (!abortFirst) abort();
      const [outcome] = await Promise.allSettled([first]);
      transport.push(bytes(3), null);
      let total = outcome.status === "fulfilled" ? 3 : 0;
      while (await stream.read(3)) total += 3;
      assertEquals(total, 6, `after ${hops} hops`);
      await stream.close();
    }
  }
});

Deno.test("A write that succeeds while it is being aborted either counts or fails the stream", async () => {
  for (let hops = 0; hops < 12; hops++) {
    const { transport, stream } = scripted();
    const gate = Promise.withResolvers<void>();
    transport.gates.write = gate.promise;
    const controller = new AbortController();
    const { signal } = controller;
    const write = stream.write(bytes(1), { signal });
    write.catch(() => {});
    gate.resolve();
    for (let i = 0; i < hops; i++) await undefined;
    const reason = new Error("changed my mind");
    controller.abort(reason);
    const [outcome] = await Promise.allSettled([write]);
    assertEquals(stream.closed, outcome.status === "rejected", `${hops} hops`);
    await stream.close();
  }
});

Deno.test("A stream takes no memory for chunks that say nothing", async () => {
  const EMPTY = new Uint8Array();
  let left = 1_000_000;
  const before = Deno.memoryUsage().heapUsed;
  let during = 0;
  class Chatty extends ScriptedTransport {
    override read(): Promise<Uint8Array<ArrayBuffer> | null> {
      if (left-- > 0) return Promise.resolve(EMPTY);
      during = Deno.memoryUsage().heapUsed;
      return Promise.resolve(null);
    }
  }
  await using stream = new ScriptedStream(new Chatty());
  assertEquals(await stream.read(1), null);
  assertLess(during - before, 40 << 20); // One promise each would be 100 MB.
});
