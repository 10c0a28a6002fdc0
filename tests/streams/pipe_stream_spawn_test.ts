import { Channel } from "@sluice/sluice/channels";
import { ConnectionLostError, StreamClosedError } from "@sluice/sluice/errors";
import { PipeStream } from "@sluice/sluice/streams";
import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertLess,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { bytes, readAll, rejection, spawnDeno, turns } from "./_support.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (data: Uint8Array | null) =>
  data && new TextDecoder().decode(data);

/** Signals and shells are not the same on Windows. */
const posix = { ignore: Deno.build.os === "windows" };

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
  const text = "ls" as unknown as string[]; // JavaScript lets it through.
  await assertRejects(() => PipeStream.spawn(text), TypeError, "an array");
  for (const killTimeout of [-1, NaN, Infinity]) {
    await assertRejects(
      () => PipeStream.spawn([Deno.execPath(), "--version"], { killTimeout }),
      RangeError,
      "killTimeout",
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

Deno.test("The last words of a child that throws are what it threw, without its stack and colours", async () => {
  await using child = await spawnDeno(
    "throw new RangeError('out of luck')",
    { stderr: "piped", env: { FORCE_COLOR: "1" } },
  );
  const error = await assertRejects(() => child.read(1), ConnectionLostError);
  assertMatch(
    error.message,
    /code 1: error: Uncaught .*RangeError: out of luck$/,
  );
});

const LAST_WORDS: [stderr: string, told: string][] = [
  [
    "/app/boom.cjs:1\nthrow new TypeError('boom')\n^\n\nTypeError: boom\n    at Object.<anonymous> (/app/boom.cjs:1:7)\n\nNode.js v20.20.2\n",
    "TypeError: boom",
  ],
  [
    "Error: boom\n    at Module._compile (node:internal/modules/cjs/loader:1)\n{\n  code: 7\n}\n",
    "}",
  ],
  ["Error: boom\n    at one (two:1) {\n  code: 7\n}\n", "Error: boom"],
  [
    'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: boom\n',
    "ValueError: boom",
  ],
  ["error: step 1 was tried again: fine\nbye\n  usage: x\n", "usage: x"],
  ["\x1b[31merror\x1b[0m: red\n  more\n", "error: red"],
];
for (const [stderr, told] of LAST_WORDS) {
  Deno.test(`The last words of ${JSON.stringify(stderr)} are ${JSON.stringify(told)}`, async () => {
    await using child = await spawnDeno(
      `Deno.stderr.writeSync(new TextEncoder().encode(${
        JSON.stringify(stderr)
      })); Deno.exit(1)`,
      { stderr: "piped" },
    );
    const error = await assertRejects(() => child.read(1), ConnectionLostError);
    assertEquals(
      error.message,
      `Cannot read as the child process exited with code 1: ${told}`,
    );
  });
}

Deno.test("A child that only ends in indented lines is quoted with the last of them", async () => {
  await using child = await spawnDeno(
    "console.error('  first\\n  last\\n'); Deno.exit(1)",
    { stderr: "piped" },
  );
  await assertRejects(() => child.read(1), ConnectionLostError, "code 1: last");
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
    // With the last read under way at the exit, and not.
    for (const wait of ["", "sleep 0.2;"]) {
      const child = await PipeStream.spawn(
        ["sh", "-c", `sleep 60 & echo $!; ${wait} exit 0`],
        { stderr: "piped" },
      );
      const started = performance.now();
      const grandchild = Number(await readAll(child));
      await child.close();
      assertLess(performance.now() - started, 10_000);
      assertEquals((await child.status)?.code, 0);
      Deno.kill(grandchild, "SIGKILL"); // It lives: nobody has killed it.
    }
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

for (
  const [what, end] of Object.entries({
    "an abort": (stream: { abort(reason: unknown): void }) =>
      stream.abort(new Error("enough")),
    "its signal": (_: unknown, controller: AbortController) =>
      controller.abort(new Error("enough")),
  })
) {
  Deno.test({
    ...posix,
    name: `A child that a close waits for is killed by ${what} at once`,
    async fn() {
      const controller = new AbortController();
      const { signal } = controller;
      // It takes no notice of the end of its input; one has ended its output too.
      const closed = await PipeStream.spawn(["sleep", "60"], { signal });
      const ended = await PipeStream.spawn(
        ["sh", "-c", "exec sleep 60 >&-"],
        { signal },
      );
      const closing = closed.close();
      await ended.closeWrite();
      assertEquals(await ended.read(1), null);
      assert(ended.closed);
      for (const stream of [closed, ended]) end(stream, controller);
      await closing;
      for (const stream of [closed, ended]) {
        assertInstanceOf(await stream.finished, StreamClosedError);
        // Later it would have been SIGTERM.
        assertEquals((await stream.status)?.signal, "SIGKILL");
      }
    },
  });
}

Deno.test({
  ...posix,
  name: "A channel whose close waits for its child is cut short by an abort",
  async fn() {
    const child = await PipeStream.spawn(["sleep", "60"]);
    const channel = new Channel(child);
    const closing = channel.close();
    while (!child.closed) await turns(1); // All that was sent has left by then.
    channel.abort(new Error("enough"));
    await closing;
    assertEquals((await child.status)?.signal, "SIGKILL");
    assertEquals(await channel.finished, undefined);
  },
});

Deno.test("A child whose end was read and whose input was ended needs no close", async () => {
  const child = await spawnDeno("console.log('bye')");
  assertEquals(await readAll(child), "bye\n");
  await child.closeWrite();
  assertEquals(await child.finished, undefined);
  assert(child.closed);
});
