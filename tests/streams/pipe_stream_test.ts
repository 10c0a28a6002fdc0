import { ConnectionLostError, StreamClosedError } from "@sluice/sluice/errors";
import { ByteStream, PipeStream } from "@sluice/sluice/streams";
import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { bytes, readAll, rejection, spawnDeno, turns } from "./_support.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (data: Uint8Array | null) =>
  data && new TextDecoder().decode(data);

/** Signals and shells are not the same on Windows. */
const posix = { ignore: Deno.build.os === "windows" };

// In memory

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
      `bufferSize must be an integer >= 1: current value is ${bufferSize}`,
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

// Over two web streams

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
  aborted.abort(reason);
  for (const outcome of await outcomes) {
    assertEquals(outcome, { status: "rejected", reason });
  }
  await Promise.all([aborted.close(), closed.close()]);
});

// A child process

Deno.test("PipeStream.spawn talks to a child, which ends cleanly with code 0", async () => {
  const child = await spawnDeno(
    "await Deno.stdin.readable.pipeTo(Deno.stdout.writable)",
  );
  assertEquals(child.info, { transport: "process" });
  assertGreater(child.pid, 0);
  await child.write(encode("hello"));
  assertEquals(decode(await child.read(5)), "hello");
  await child.closeWrite();
  assertEquals(await child.read(1), null);
  assertEquals(await child.status, { success: true, code: 0, signal: null });
  assertEquals(await child.finished, undefined);
});

Deno.test("A command that does not exist is a ConnectionLostError with its cause", async () => {
  const error = await assertRejects(
    () => PipeStream.spawn(["sluice-has-no-such-command"]),
    ConnectionLostError,
    "Cannot spawn sluice-has-no-such-command",
  );
  assertInstanceOf(error.cause, Deno.errors.NotFound);
});

Deno.test("PipeStream.spawn refuses no command and a killTimeout that is no time", async () => {
  await assertRejects(() => PipeStream.spawn([]), TypeError, "command");
  await assertRejects(() => PipeStream.spawn([""]), TypeError, "command");
  for (const killTimeout of [-1, NaN, Infinity]) {
    await assertRejects(
      () => PipeStream.spawn([Deno.execPath(), "--version"], { killTimeout }),
      RangeError,
      "timeout",
    );
  }
});

Deno.test("PipeStream.spawn passes cwd and env to the child", async () => {
  const cwd = await Deno.realPath(await Deno.makeTempDir());
  const child = await spawnDeno(
    "console.log(Deno.cwd(), Deno.env.get('SLUICE_TEST'))",
    { cwd, env: { SLUICE_TEST: "yes" } },
  );
  assertEquals((await readAll(child)).trim(), `${cwd} yes`);
  await child.close();
  await Deno.remove(cwd);
});

Deno.test("A child that fails is a ConnectionLostError with its code and its last words", async () => {
  await using child = await spawnDeno(
    "console.error('first'); console.error('out of luck\\n'); Deno.exit(3)",
    { stderr: "piped" },
  );
  const error = await assertRejects(
    () => child.read(1),
    ConnectionLostError,
    "Cannot read as the child process exited with code 3: out of luck",
  );
  assertStrictEquals(await child.finished, error);
  assertEquals(child.stderr, "first\nout of luck\n\n");
});

Deno.test("What a failing child wrote before is read first", async () => {
  await using child = await spawnDeno(
    "Deno.stdout.writeSync(new Uint8Array(100_000).fill(7)); Deno.exit(1)",
  );
  assertEquals((await child.read(100_000))?.length, 100_000);
  await assertRejects(() => child.read(1), ConnectionLostError, "code 1");
});

Deno.test({
  ...posix,
  name: "A child that is killed is a ConnectionLostError, not a clean end",
  async fn() {
    await using child = await PipeStream.spawn(["sleep", "60"]);
    const read = child.read(1);
    read.catch(() => {});
    Deno.kill(child.pid!, "SIGKILL");
    const error = await rejection(read);
    assertInstanceOf(error, ConnectionLostError);
    assertStringIncludes(error.message, "was ended by SIGKILL");
    assertEquals((await child.status)?.signal, "SIGKILL");
  },
});

Deno.test({
  ...posix,
  name: "A write to a child that has ended tells how it ended",
  async fn() {
    await using child = await PipeStream.spawn(["sh", "-c", "exit 7"]);
    await child.status;
    const error = await assertRejects(
      () => child.write(bytes(1)),
      ConnectionLostError,
      "Cannot write as the child process exited with code 7",
    );
    assertInstanceOf(error.cause, Deno.errors.BrokenPipe);
  },
});

Deno.test({
  ...posix,
  name:
    "A child that closes its output and lives on has ended its direction only",
  async fn() {
    const folder = await Deno.makeTempDir();
    await using child = await PipeStream.spawn(
      ["sh", "-c", "printf hi; exec >&-; cat > got"],
      { cwd: folder },
    );
    assertEquals(decode(await child.read(2)), "hi");
    assertEquals(await child.read(1), null);
    await child.write(encode("still here"));
    await child.closeWrite();
    assertEquals((await child.status)?.code, 0);
    assertEquals(await child.finished, undefined);
    assertEquals(await Deno.readTextFile(`${folder}/got`), "still here");
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  ...posix,
  name:
    "A grandchild that holds the pipes does not delay the end of its parent",
  async fn() {
    const child = await PipeStream.spawn(
      ["sh", "-c", "sleep 60 & echo $!; exit 0"],
      { stderr: "piped" },
    );
    const started = performance.now();
    const grandchild = Number(await readAll(child));
    await child.close();
    assertLess(performance.now() - started, 10_000);
    assertEquals((await child.status)?.code, 0);
    Deno.kill(grandchild, "SIGKILL"); // It lives: nobody has killed it.
  },
});

Deno.test({
  ...posix,
  name: "A full standard error does not block a child, and its end is kept",
  async fn() {
    await using child = await PipeStream.spawn([
      "sh",
      "-c",
      "i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i+1)); done; echo done",
    ], { stderr: "piped" });
    assertEquals(decode(await child.read(5)), "done\n");
    assertEquals(await child.read(1), null);
    await child.closeWrite();
    await child.finished;
    assertEquals(child.stderr?.length, 8192);
    assert(child.stderr?.endsWith("\nline 19999\n"));
  },
});

Deno.test("What is kept of standard error begins with a whole character", async () => {
  await using child = await spawnDeno(
    "await Deno.stderr.write(new TextEncoder().encode('\\u20ac'.repeat(3000)))",
    { stderr: "piped" },
  );
  assertEquals(await child.read(1), null);
  await child.closeWrite();
  await child.finished;
  assertEquals(child.stderr, "\u20ac".repeat(2730));
});

Deno.test({
  ...posix,
  name: "close() ends the input of a child first, which then ends by itself",
  async fn() {
    const child = await PipeStream.spawn(["cat"]);
    await child.close();
    assertEquals((await child.status)?.code, 0);
  },
});

Deno.test({
  ...posix,
  name:
    "close() reads what a child still writes, as it would not end otherwise",
  async fn() {
    const child = await PipeStream.spawn([
      "sh",
      "-c",
      "cat >/dev/null; head -c 1000000 /dev/zero; exit 5",
    ]);
    await child.close();
    assertEquals((await child.status)?.code, 5);
  },
});

Deno.test({
  ...posix,
  name: "close() sends SIGTERM to a child that does not end, then SIGKILL",
  async fn() {
    const polite = await PipeStream.spawn(["sleep", "60"], { killTimeout: 50 });
    const stubborn = await PipeStream.spawn(
      ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"],
      { killTimeout: 50 },
    );
    await stubborn.read(6);
    await Promise.all([polite.close(), stubborn.close()]);
    assertEquals((await polite.status)?.signal, "SIGTERM");
    assertEquals((await stubborn.status)?.signal, "SIGKILL");
  },
});

Deno.test({
  ...posix,
  name: "abort() kills a child at once, with a write and a read under way",
  async fn() {
    const child = await PipeStream.spawn(["sleep", "60"]);
    const reason = new Error("enough");
    const calls = [child.write(new Uint8Array(1_000_000)), child.read(1)];
    const outcomes = Promise.allSettled(calls);
    child.abort(reason);
    for (const outcome of await outcomes) {
      assertEquals(outcome, { status: "rejected", reason });
    }
    await child.finished;
    assertEquals((await child.status)?.signal, "SIGKILL");
  },
});

Deno.test({
  ...posix,
  name:
    "The signal of spawn kills the child and fails the stream with its reason",
  async fn() {
    const controller = new AbortController();
    const { signal } = controller;
    const child = await PipeStream.spawn(["sleep", "60"], { signal });
    const read = child.read(1);
    read.catch(() => {});
    const reason = new Error("shutting down");
    controller.abort(reason);
    assertStrictEquals(await rejection(read), reason);
    await child.finished;
    assertEquals((await child.status)?.signal, "SIGKILL");
    assertStrictEquals(
      await rejection(PipeStream.spawn(["sleep", "60"], { signal })),
      reason,
    );
  },
});

Deno.test("A child whose end was read and whose input was ended needs no close", async () => {
  const child = await spawnDeno("console.log('bye')");
  assertEquals(await readAll(child), "bye\n");
  await child.closeWrite();
  assertEquals(await child.finished, undefined);
  assert(child.closed);
});

// Our own standard input and output

Deno.test("fromStdio keeps standard output clean for the protocol until it is closed", async () => {
  await using child = await spawnDeno(
    `
    import { PipeStream } from "@sluice/sluice/streams";
    const stdio = PipeStream.fromStdio();
    const { log } = console;
    console.log("log");
    console.info("info");
    console.debug("debug");
    console.dir({ dir: 1 });
    console.table([{ table: 1 }]);
    console.group("group");
    console.groupEnd();
    console.count("count");
    console.time("timer");
    console.timeEnd("timer");
    log("captured");
    await stdio.write(await stdio.read(4));
    await stdio.close();
    console.log("restored");
    `,
    { stderr: "piped" },
  );
  await child.write(encode("ping"));
  assertEquals(await readAll(child), "pingrestored\n");
  await child.closeWrite();
  await child.finished;
  const words = ["log", "info", "debug", "dir", "table", "group", "count"];
  for (const word of [...words, "timer", "captured"]) {
    assertStringIncludes(child.stderr!, word);
  }
});

Deno.test("fromStdio can be used once", async () => {
  await using child = await spawnDeno(`
    import { PipeStream } from "@sluice/sluice/streams";
    const stdio = PipeStream.fromStdio();
    try {
      PipeStream.fromStdio();
    } catch (error) {
      await stdio.write(new TextEncoder().encode(String(error)));
    }
    await stdio.close();
  `);
  const text = await readAll(child);
  assertStringIncludes(text, "TypeError: Cannot use standard input and output");
});

Deno.test("A process ends after it closed its standard streams, even with a read and a write stuck", async () => {
  await using child = await spawnDeno(
    `
    import { PipeStream } from "@sluice/sluice/streams";
    const stdio = PipeStream.fromStdio();
    stdio.read(1).catch(() => {});
    stdio.write(new Uint8Array(10_000_000)).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 100));
    await stdio.close();
    console.error("closed");
    Deno.exit(4);
  `,
    { stderr: "piped" },
  );
  assertEquals((await child.status)?.code, 4);
  assertEquals(child.stderr, "closed\n");
});
