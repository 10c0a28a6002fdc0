import {
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { mock } from "node:test";
import { BatchingStream } from "@sluice/sluice";
import { isPending, noise, settle } from "./_support.ts";

/** A stage with a reader that takes whatever comes. */
function run(options?: ConstructorParameters<typeof BatchingStream>[0]) {
  const stage = new BatchingStream(options);
  const writer = stage.writable.getWriter();
  const out: Uint8Array[] = [];
  const ended = stage.readable.pipeTo(
    new WritableStream({ write: (chunk) => void out.push(chunk) }),
  );
  return { writer, out, ended };
}

/** A test with a clock of its own that stands still until it is told. */
function clockTest(
  name: string,
  fn: (tick: (ms: number) => Promise<void>) => Promise<void>,
): void {
  Deno.test(name, async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      await fn(async (ms) => {
        await settle();
        mock.timers.tick(ms);
        await settle();
      });
    } finally {
      mock.timers.reset();
    }
  });
}

clockTest(
  "BatchingStream releases a batch when it holds its number of chunks",
  async (tick) => {
    const { writer, out, ended } = run({ size: 3 });
    for (let n = 0; n < 8; n++) await writer.write(new Uint8Array([n]));
    await tick(0);
    assertEquals(out, [new Uint8Array([0, 1, 2]), new Uint8Array([3, 4, 5])]);
    await writer.close();
    await ended;
    assertEquals(out[2], new Uint8Array([6, 7]));
  },
);

clockTest(
  "BatchingStream releases a batch when its time is up, counted from its first chunk",
  async (tick) => {
    const { writer, out, ended } = run({ size: 10, timeout: 100 });
    await writer.write(noise(1));
    await tick(60);
    await writer.write(noise(2));
    await tick(39);
    assertEquals(out.length, 0);
    await tick(1);
    assertEquals(out, [concat([noise(1), noise(2)])]);
    // The next batch has a time of its own.
    await tick(1000);
    assertEquals(out.length, 1);
    await writer.write(noise(3));
    await tick(99);
    assertEquals(out.length, 1);
    await tick(1);
    assertEquals(out[1], noise(3));
    await writer.close();
    await ended;
  },
);

clockTest(
  "BatchingStream counts the time anew after a batch that was full",
  async (tick) => {
    const { writer, out, ended } = run({ size: 2, timeout: 100 });
    await writer.write(noise(1));
    await tick(90);
    await writer.write(noise(1));
    await writer.write(noise(1)); // The first of the next batch.
    await tick(99);
    assertEquals(out.length, 1);
    await tick(1);
    assertEquals(out.length, 2);
    await writer.close();
    await ended;
  },
);

clockTest(
  "BatchingStream releases a batch that has its bytes, and does not copy a large chunk",
  async (tick) => {
    const { writer, out, ended } = run({ bytes: 100 });
    await writer.write(noise(60));
    await writer.write(noise(40));
    await tick(0);
    assertEquals(out.map((c) => c.byteLength), [100]);
    await writer.write(noise(60));
    const large = noise(100);
    await writer.write(large); // Would burst the batch: it goes by itself.
    await tick(0);
    assertEquals(out.map((c) => c.byteLength), [100, 60, 100]);
    assertStrictEquals(out[2], large);
    await writer.close();
    await ended;
    assertEquals(out.length, 3);
  },
);

clockTest(
  "BatchingStream takes a chunk of no length for a flush and passes it on",
  async (tick) => {
    const { writer, out, ended } = run({ size: 10 });
    const mark = new Uint8Array(0);
    await writer.write(mark);
    await writer.write(noise(1));
    await writer.write(mark);
    await tick(0);
    assertEquals(out, [mark, noise(1), mark]);
    await tick(1000); // Its timer is gone.
    assertEquals(out.length, 3);
    await writer.close();
    await ended;
  },
);

clockTest("BatchingStream counts messages as it is told to", async (tick) => {
  const { writer, out, ended } = run({ size: 10, weigh: (c) => c.byteLength });
  await writer.write(noise(4));
  await writer.write(noise(5));
  await tick(0);
  assertEquals(out.length, 0);
  await writer.write(noise(1));
  await tick(0);
  assertEquals(out.map((c) => c.byteLength), [10]);
  await writer.close();
  await ended;
});

clockTest(
  "BatchingStream waits 100 ms for 10 chunks by default",
  async (tick) => {
    const { writer, out, ended } = run();
    for (let n = 0; n < 19; n++) await writer.write(noise(1));
    await tick(99);
    assertEquals(out.map((c) => c.byteLength), [10]);
    await tick(1);
    assertEquals(out.map((c) => c.byteLength), [10, 9]);
    await writer.close();
    await ended;
  },
);

clockTest(
  "BatchingStream leaves no timer when either side is given up",
  async (tick) => {
    const reason = new Error("enough");
    const aborted = new BatchingStream();
    const reader = aborted.readable.getReader();
    const reading = reader.read();
    const writer = aborted.writable.getWriter();
    await writer.write(noise(1));
    await Promise.all([
      writer.abort(reason),
      assertRejects(() => reading, Error, "enough"),
    ]);
    const cancelled = new BatchingStream();
    const cancelReader = cancelled.readable.getReader();
    const ending = cancelReader.read();
    await cancelled.writable.getWriter().write(noise(1));
    await cancelReader.cancel(reason);
    await ending;
    await tick(1000); // A timer that is left would enqueue into a dead stream.
  },
);

Deno.test("BatchingStream leaves no real timer behind when either side is given up", async () => {
  // The sanitizer of the test runner sees a timer that is left.
  for (const side of ["writable", "readable"] as const) {
    const stage = new BatchingStream({ timeout: 60_000 });
    const reader = stage.readable.getReader();
    const reading = reader.read().catch(() => {});
    const writer = stage.writable.getWriter();
    await writer.write(noise(1));
    await (side === "writable" ? writer.abort() : reader.cancel());
    await reading;
  }
});

Deno.test("BatchingStream leaves no timer behind when the stage after it fails", async () => {
  const stage = new BatchingStream({ size: 2, timeout: 60_000 });
  const failing = stage.readable.pipeTo(
    new WritableStream({
      write() {
        throw new Error("broken");
      },
    }),
  );
  const writer = stage.writable.getWriter();
  const writes = [1, 2, 3].map((n) => writer.write(noise(n)).catch(() => {}));
  await assertRejects(() => failing, Error, "broken");
  await Promise.all(writes);
  await assertRejects(() => writer.closed, Error, "broken");
});

Deno.test("BatchingStream holds no more than a batch while nobody reads", async () => {
  const stage = new BatchingStream({ size: 2, timeout: 60_000 });
  const writer = stage.writable.getWriter();
  const first = writer.write(noise(1));
  assertEquals(await isPending(first), true);
  const reader = stage.readable.getReader();
  const reading = reader.read();
  await first;
  await writer.write(noise(1));
  assertEquals((await reading).value?.byteLength, 2);
  assertEquals(await isPending(writer.write(noise(1))), true);
  await reader.cancel();
});

Deno.test("BatchingStream keeps every byte in order, whatever the sizes", async () => {
  const chunks = Array.from({ length: 500 }, (_, n) => noise(n % 97 + 1, n));
  for (
    const options of [{}, { size: 1 }, { size: 7, bytes: 333 }, { bytes: 1 }]
  ) {
    const out = await Array.fromAsync(
      ReadableStream.from(chunks).pipeThrough(new BatchingStream(options)),
    );
    assertEquals(concat(out), concat(chunks));
  }
});

Deno.test("BatchingStream refuses chunks of anything else", async () => {
  const { writer, ended } = run({ size: 3 });
  ended.catch(() => {});
  await writer.write(new Uint8Array([1]));
  const wrong = "no bytes" as unknown as Uint8Array;
  await assertRejects(() => writer.write(wrong), TypeError, "Uint8Array");
});

Deno.test("BatchingStream refuses options out of range", () => {
  const wrong = [
    { size: 0 },
    { size: 1.5 },
    { timeout: -1 },
    { timeout: 2 ** 31 }, // The platform would fire at once.
    { bytes: 0 },
  ];
  for (const options of wrong) {
    assertThrows(() => new BatchingStream(options), RangeError, "batch");
  }
});
