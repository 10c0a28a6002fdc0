/**
 * What every byte stream promises, as one body of tests that is run unchanged
 * over each transport, with either end in either role.
 *
 * @module
 */

import type { ByteStream } from "@sluice/sluice/streams";
import { ConnectionLostError, StreamClosedError } from "@sluice/sluice/errors";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import { equals } from "@std/bytes/equals";
import { generator } from "./_random.ts";

/** Two streams that are connected to each other. */
export interface Connection extends AsyncDisposable {
  readonly ends: readonly [ByteStream, ByteStream];
}

/** A kind of stream to test. */
export interface Subject {
  /** As the subject of a sentence: `A TCP stream`. */
  readonly name: string;
  /** What the first and the second end are called. */
  readonly roles: readonly [string, string];
  /** Whether each end can end its direction alone; both by default. */
  readonly halfClose?: readonly [boolean, boolean];
  /** Whether the platform cannot run it. */
  readonly ignore?: boolean;
  connect(): Promise<Connection>;
}

/** More than all buffers between two ends can hold. */
const MORE_THAN_FITS = 32 * 1024 * 1024;
/** How long anything may take before the test fails in place of hanging. */
const PATIENCE = 20_000;

/** Declares all tests for `subject`. */
export function testConformance(subject: Subject): void {
  for (const first of [0, 1] as const) {
    const second = first === 0 ? 1 : 0;
    const halfClose = subject.halfClose ?? [true, true];
    const test = (
      promise: string,
      body: (near: ByteStream, far: ByteStream) => Promise<void>,
      ignore = subject.ignore ?? false,
    ) => {
      const name = `${subject.name}, as ${subject.roles[first]}, ${promise}`;
      Deno.test({
        name,
        ignore,
        fn: async () => {
          await using connection = await subject.connect();
          const { ends } = connection;
          await deadline(body(ends[first], ends[second]), PATIENCE);
        },
      });
    };
    const testHalfClose: typeof test = (promise, body) =>
      test(promise, body, subject.ignore || !halfClose[first]);
    declare(test, testHalfClose);
  }
}

type Declare = (
  promise: string,
  body: (near: ByteStream, far: ByteStream) => Promise<void>,
) => void;

function declare(test: Declare, testHalfClose: Declare): void {
  test("reads exactly what is asked for at every split", async (near, far) => {
    const data = bytes(9);
    for (let written = 0; written <= data.length; written++) {
      for (let asked = 0; asked <= data.length; asked++) {
        const reads = [far.read(asked), far.read(data.length - asked)];
        await near.write(data.subarray(0, written));
        await near.write(data.subarray(written));
        assertEquals(await reads[0], data.subarray(0, asked));
        assertEquals(await reads[1], data.subarray(asked));
      }
    }
  });

  test("carries large transfers both ways at once", async (near, far) => {
    const { random, seed } = generator();
    const size = 6 * 1024 * 1024;
    const there = random.bytes(size);
    const back = random.bytes(size);
    const send = async (stream: ByteStream, data: Uint8Array) => {
      for (let start = 0; start < size;) {
        const end = Math.min(size, start + random.integer(1, 300_000));
        await stream.write(data.subarray(start, end));
        start = end;
      }
    };
    const receive = async (stream: ByteStream, data: Uint8Array) => {
      for (let start = 0; start < size;) {
        const end = Math.min(size, start + random.integer(1, 300_000));
        const part = await stream.read(end - start);
        assert(
          part && equals(part, data.subarray(start, end)),
          `wrong bytes at ${start}, seed ${seed}`,
        );
        start = end;
      }
    };
    await Promise.all([
      send(near, there),
      send(far, back),
      receive(near, back),
      receive(far, there),
    ]);
  });

  test(
    "is done with the memory of a write once that settles",
    async (near, far) => {
      const data = new Uint8Array(70_000);
      const received = far.read(3 * data.length);
      for (const value of [1, 2, 3]) await near.write(data.fill(value));
      data.fill(9);
      await near.write(data.subarray(0, 1));
      const all = (await received)!;
      for (const value of [1, 2, 3]) {
        const part = all.subarray(
          (value - 1) * data.length,
          value * data.length,
        );
        assert(part.every((byte) => byte === value), `bytes of write ${value}`);
      }
    },
  );

  test(
    "serves reads and writes first come, first served",
    async (near, far) => {
      const reads = [far.read(2), far.read(0), far.read(70_000), far.read(1)];
      const writes = [bytes(1), bytes(70_001), bytes(1)]
        .map((data) => near.write(data));
      await Promise.all(writes);
      const lengths = (await Promise.all(reads)).map((data) => data?.length);
      assertEquals(lengths, [2, 0, 70_000, 1]);
    },
  );

  test("makes a writer wait for the reader, in bytes", async (near, far) => {
    const chunk = new Uint8Array(65_536);
    let accepted = 0;
    const writing = (async () => {
      while (accepted < MORE_THAN_FITS) {
        await near.write(chunk);
        accepted += chunk.length;
      }
    })();
    let before = -1;
    while (before < accepted) { // Until nothing moves any more.
      before = accepted;
      await delay(50);
    }
    assertLess(accepted, MORE_THAN_FITS, "all was accepted, nothing was read");
    for (let read = 0; read < MORE_THAN_FITS; read += chunk.length) {
      assertEquals((await far.read(chunk.length))?.length, chunk.length);
    }
    await writing;
  });

  testHalfClose("ends its direction and goes on reading", async (near, far) => {
    await near.write(bytes(3));
    await near.closeWrite();
    assertStrictEquals(near.closeWrite(), near.closeWrite());
    assertEquals(await far.read(3), bytes(3));
    assertEquals(await far.read(1), null);
    assertEquals(await far.read(1), null);
    await assertRejects(() => near.write(bytes(1)), StreamClosedError, "ended");
    for (let i = 0; i < 3; i++) {
      const [data] = await Promise.all([
        near.read(100_000),
        far.write(bytes(100_000)),
      ]);
      assert(equals(data!, bytes(100_000)));
    }
    assert(!near.closed && !far.closed);
    await far.closeWrite();
    assertEquals(await near.read(1), null);
    assertEquals(await near.finished, undefined);
    assertEquals(await far.finished, undefined);
    assert(near.closed && far.closed);
  });

  testHalfClose(
    "ends its direction by closing its writable, too",
    async (near, far) => {
      const writer = near.writable.getWriter();
      await writer.write(bytes(5));
      await writer.close();
      assertEquals(await drain(far.readable), bytes(5));
      const back = far.writable.getWriter();
      await back.write(bytes(50_000));
      assert(equals((await near.read(50_000))!, bytes(50_000)));
      await back.close();
      assertEquals(await drain(near.readable), bytes(0));
      assertEquals(await near.finished, undefined);
    },
  );

  test(
    "tells an end within a read from an end before it",
    async (near, far) => {
      const read = far.read(8);
      read.catch(() => {});
      await near.write(bytes(3));
      const farClosed = assertLost(read).then(() => far.close());
      await Promise.all([near.close(), farClosed]);
      const error = await assertRejects(() => read, ConnectionLostError, "3");
      assertEquals([error.received, error.expected], [3, 8]);
    },
  );

  test("delivers what was written before a close", async (near, far) => {
    const data = bytes(50_000);
    await near.write(data);
    const reading = (async () => {
      assert(equals((await far.read(50_000))!, data));
      assertEquals(await far.read(1), null);
      await far.close();
    })();
    await Promise.all([near.close(), reading]);
  });

  test(
    "gives up reads and writes under way when it is closed",
    async (near, far) => {
      const calls = [
        near.read(1),
        near.read(2),
        near.write(new Uint8Array(MORE_THAN_FITS)),
        near.write(bytes(1)),
      ];
      const outcomes = Promise.allSettled(calls);
      const closing = near.close();
      assert(near.closed);
      far.abort(); // A child that is bridged ends only when its peer does.
      await closing;
      for (const outcome of await outcomes) {
        assert(outcome.status === "rejected");
        assertInstanceOf(outcome.reason, StreamClosedError);
      }
      assertEquals(await near.finished, undefined);
    },
  );

  test(
    "may be closed twice, and refuses what comes later",
    async (near, far) => {
      await Promise.all([near.close(), near.close(), far.close()]);
      await near.close();
      near.abort(new Error("too late"));
      assertEquals(await near.finished, undefined);
      const calls = [
        () => near.read(1),
        () => near.write(bytes(1)),
        () => near.closeWrite(),
        () => near.readable.getReader().read(),
        () => near.writable.getWriter().write(bytes(1)),
      ];
      for (const call of calls) await assertRejects(call, StreamClosedError);
    },
  );

  test("gives up everything under way when it is aborted, with the reason", async (near) => {
    const reason = new Error("the user left");
    const calls = [
      near.read(1),
      near.read(2),
      near.write(new Uint8Array(MORE_THAN_FITS)),
      near.write(bytes(1)),
      near.closeWrite(),
    ];
    const outcomes = Promise.allSettled(calls);
    near.abort(reason);
    near.abort(new Error("another"));
    assert(near.closed);
    for (const outcome of await outcomes) {
      assertEquals(outcome, { status: "rejected", reason });
    }
    const failure = await near.finished;
    assertInstanceOf(failure, StreamClosedError);
    assertStrictEquals(failure.cause, reason);
    await near.close();
  });

  test("fails all four promises with the one reason of an abort", async (near) => {
    const reason = new ConnectionLostError("for a reason");
    const reader = near.readable.getReader();
    const writer = near.writable.getWriter();
    const promises = [
      reader.read(),
      reader.closed,
      writer.write(new Uint8Array(MORE_THAN_FITS)),
      writer.closed,
    ];
    const outcomes = Promise.allSettled(promises);
    near.abort(reason);
    for (const outcome of await outcomes) {
      assertEquals(outcome, { status: "rejected", reason });
    }
    assertStrictEquals(await near.finished, reason);
  });

  test("is aborted through its writable while a write is stuck", async (near) => {
    const reason = new Error("the pipe broke");
    const read = near.read(1);
    read.catch(() => {});
    const writer = near.writable.getWriter();
    const write = writer.write(new Uint8Array(MORE_THAN_FITS));
    write.catch(() => {});
    writer.closed.catch(() => {});
    await writer.abort(reason);
    assertStrictEquals(await rejection(read), reason);
    assertStrictEquals(await rejection(write), reason);
    assertStrictEquals((await near.finished)?.cause, reason);
  });

  test(
    "fails all four promises with one reason when the peer is gone",
    async (near, far) => {
      const reader = near.readable.getReader();
      const writer = near.writable.getWriter();
      reader.closed.catch(() => {});
      writer.closed.catch(() => {});
      far.abort();
      // The reading side may see a clean end first: only a write shows the loss.
      const write = (async () => {
        for (;;) await writer.write(new Uint8Array(65_536));
      })();
      const reason = await rejection(write);
      assertInstanceOf(reason, ConnectionLostError);
      assertStrictEquals(await rejection(writer.closed), reason);
      assertStrictEquals(await near.finished, reason);
      // What had not been read by then fails for the same reason.
      const outcomes = await Promise.allSettled([reader.closed, reader.read()]);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") {
          assertStrictEquals(outcome.reason, reason);
        }
      }
    },
  );

  test("does not wait for ever for a peer that is gone", async (near, far) => {
    const read = near.read(1);
    far.abort();
    const outcome = await Promise.allSettled([read]);
    if (outcome[0].status === "rejected") {
      assertInstanceOf(outcome[0].reason, ConnectionLostError);
    } else {
      assertEquals(outcome[0].value, null);
    }
  });

  test("loses nothing to an aborted read", async (near, far) => {
    const reason = new Error("changed my mind");
    const first = new AbortController();
    const third = new AbortController();
    const reads = [
      far.read(4, { signal: first.signal }),
      far.read(2),
      far.read(2, { signal: third.signal }),
      far.read(3),
    ] as const;
    reads.forEach((read) => read.catch(() => {}));
    await near.write(bytes(2)); // In part there, whoever asks.
    third.abort(reason);
    assertStrictEquals(await rejection(reads[2]), reason);
    first.abort(reason);
    assertStrictEquals(await rejection(reads[0]), reason);
    assertEquals(await reads[1], bytes(2));
    await near.write(bytes(3));
    assertEquals(await reads[3], bytes(3));
    await assertRejects(() => far.read(1, { signal: first.signal }), Error);
    await near.write(bytes(1));
    assertEquals(await far.read(1), bytes(1));
  });

  test(
    "writes nothing of an aborted write that waits its turn",
    async (near, far) => {
      const reason = new Error("changed my mind");
      const controller = new AbortController();
      const { signal } = controller;
      const large = new Uint8Array(MORE_THAN_FITS);
      const first = near.write(large);
      const second = near.write(bytes(100), { signal });
      const third = near.write(bytes(5));
      second.catch(() => {});
      controller.abort(reason);
      assertStrictEquals(await rejection(second), reason);
      assertEquals((await far.read(large.length))?.length, large.length);
      assertEquals(await far.read(5), bytes(5));
      await Promise.all([first, third]);
      assert(!near.closed);
    },
  );

  test("fails for good when a write under way is aborted", async (near) => {
    const reason = new Error("too slow");
    const controller = new AbortController();
    const { signal } = controller;
    const write = near.write(new Uint8Array(MORE_THAN_FITS), { signal });
    write.catch(() => {});
    controller.abort(reason);
    assertStrictEquals(await rejection(write), reason);
    assertStrictEquals(await rejection(near.write(bytes(1))), reason);
    assertStrictEquals(await rejection(near.read(1)), reason);
    assertStrictEquals((await near.finished)?.cause, reason);
  });

  test("goes on writing when its readable is cancelled", async (near, far) => {
    await near.readable.cancel();
    assertEquals(await near.read(1), null);
    await near.write(bytes(10));
    assertEquals(await far.read(10), bytes(10));
  });

  test("is closed by await using", async (near, far) => {
    const end = far.read(1);
    const farClosed = end.then(() => far.close());
    {
      await using stream = near;
      assert(!stream.closed);
    }
    assert(near.closed);
    assertEquals(await near.finished, undefined);
    assertEquals(await end, null);
    await farClosed;
  });

  test("refuses misuse, and goes on", async (near, far) => {
    await assertRejects(() => near.read(-1), RangeError, "count");
    await assertRejects(() => near.read(1.5), RangeError, "count");
    await assertRejects(
      () => near.write("text" as unknown as Uint8Array),
      TypeError,
      "Uint8Array",
    );
    const reader = near.readable.getReader();
    const writer = near.writable.getWriter();
    await assertRejects(() => near.read(1), TypeError, "locked");
    await assertRejects(() => near.write(bytes(1)), TypeError, "locked");
    reader.releaseLock();
    writer.releaseLock();
    await near.write(bytes(1));
    assertEquals(await far.read(1), bytes(1));
  });
}

/** Bytes that tell their place. */
function bytes(count: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: count }, (_, i) => i % 251);
}

async function drain(readable: ReadableStream<Uint8Array>) {
  return new Uint8Array(await new Response(readable as BodyInit).arrayBuffer());
}

/** What `promise` rejects with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not reject");
}

async function assertLost(promise: Promise<unknown>): Promise<void> {
  assertInstanceOf(await rejection(promise), ConnectionLostError);
}
