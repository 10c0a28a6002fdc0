import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { delay } from "@std/async/delay";
import { fromFileUrl } from "@std/path/from-file-url";
import { join } from "@std/path/join";
import { TextLineStream } from "@std/streams/text-line-stream";
import { Channel, connect, createSocketStream, serve } from "@sluice/sluice";
import { certificateFiles } from "./_certificates.ts";
import { commandOf, peerTest, python3 } from "./_peers.ts";
import {
  freePort,
  HOST,
  serveConns,
  serveEcho,
} from "./factories/_tunnel_peers.ts";

// Each test runs the program as a person would, in a process of its own.

const PATH = (name: string) =>
  fromFileUrl(new URL(`../${name}`, import.meta.url));
const RUN: [string, ...string[]] = [
  Deno.execPath(),
  "run",
  "--allow-all",
  "--no-check",
  "--config",
  PATH("deno.json"),
];
const COMMAND = [...RUN, PATH("cli.ts")];
/** A program that runs longer has hung: it is killed, and so its test fails, in milliseconds. */
const LIFETIME = 30_000;

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A program that runs; disposal kills it if it still does. */
interface Running extends AsyncDisposable {
  readonly pid: number;
  /** Its standard input. */
  readonly input: WritableStreamDefaultWriter<Uint8Array>;
  /** The next line of its standard output; undefined at the end. */
  line(): Promise<string | undefined>;
  /** The next line of its standard error; undefined at the end. */
  told(): Promise<string | undefined>;
  /** The address that it says it has taken. */
  address(): Promise<string>;
  /** Reads no more of its standard error: what it writes there fails. */
  dropErrors(): Promise<void>;
  /** Sends a signal, and gives the exit code and the rest of standard error. */
  end(signal?: Deno.Signal): Promise<Pick<Result, "code" | "err">>;
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** Runs a command with `input` to its end. */
async function run(args: string[], input = ""): Promise<Result> {
  const { out, ...rest } = await runBytes(args, bytes(input));
  return { out: new TextDecoder().decode(out), ...rest };
}

/** Runs each of some command lines, all at once; gives what came of it with its message. */
function runAll(cases: [args: string[], message: string][]) {
  return Promise.all(
    cases.map(async ([args, message]) => ({
      args,
      message,
      ...await run(args),
    })),
  );
}

/** The same, with bytes in and out. */
async function runBytes(
  args: string[],
  input: Uint8Array<ArrayBuffer>,
): Promise<Omit<Result, "out"> & { readonly out: Uint8Array }> {
  const child = spawn(args);
  const writer = child.stdin.getWriter();
  const writing = writer.write(input).then(() => writer.close())
    .catch(() => {}); // It may end without reading.
  const timer = setTimeout(() => child.kill("SIGKILL"), LIFETIME);
  const [out, err, { code }] = await Promise.all([
    new Response(child.stdout).bytes(),
    new Response(child.stderr).text(),
    child.status,
    writing,
  ]);
  clearTimeout(timer);
  return { code, out, err };
}

/** Starts a command, with `flags` for Deno. */
function start(args: string[], flags: string[] = []): Running {
  const child = spawn(args, flags);
  const timer = setTimeout(() => child.kill("SIGKILL"), LIFETIME);
  const status = child.status.finally(() => clearTimeout(timer));
  const linesOf = (stream: ReadableStream<Uint8Array>) =>
    stream.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream()).getReader();
  const output = linesOf(child.stdout);
  const errors = linesOf(child.stderr);
  const input = child.stdin.getWriter();
  let over = false;
  const end = async (signal?: Deno.Signal) => {
    if (signal && !over) child.kill(signal);
    const { code } = await status;
    over = true;
    const rest: string[] = [];
    for (;;) {
      const { value, done } = await errors.read();
      if (done) break;
      rest.push(value);
    }
    return { code, err: rest.join("\n") };
  };
  return {
    pid: child.pid,
    input,
    line: async () => (await output.read()).value,
    told: async () => (await errors.read()).value,
    address: async () => {
      const line = (await errors.read()).value ?? "";
      const address = /^sluice \w+: (?:listening on|forwarding) (\S+)( to .*)?$/
        .exec(line)?.[1];
      if (address === undefined) throw new Error(`it said ${line}`);
      return address;
    },
    dropErrors: () => errors.cancel(),
    end,
    async [Symbol.asyncDispose]() {
      await end("SIGKILL").catch(() => {});
      await input.abort().catch(() => {});
      await output.cancel();
    },
  };
}

function spawn(args: string[], flags: string[] = []): Deno.ChildProcess {
  const [program, ...rest] = [...RUN, ...flags, PATH("cli.ts"), ...args];
  return new Deno.Command(program, {
    args: rest,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
}

/**
 * The address of a command that says when its input has ended, and goes on for 15
 * seconds. It leaves a note when it is sent SIGTERM, which it is after 5.
 */
function stubborn(note: string): string {
  const program = `trap 'echo > "$0"' TERM
    cat > /dev/null
    printf '\\0\\0\\0\\005\\0ended\\n'
    i=0; while [ $((i += 1)) -lt 150 ]; do sleep 0.1; done`;
  return `cmd:${JSON.stringify(["sh", "-c", program, note])}`;
}

/** A temporary folder, which disposal removes. */
async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "sluice_cli_" });
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** A file with a key. */
async function writeKey(folder: string): Promise<string> {
  const file = join(folder, "key");
  await Deno.writeFile(file, crypto.getRandomValues(new Uint8Array(32)));
  return file;
}

/** An echo server in this process. */
function serveEchoes(options: { key?: Uint8Array } = {}) {
  return serve({ port: 0, ...options }, async (channel) => {
    for await (const message of channel) await channel.send(message);
  });
}

/** Sends until nobody takes any more. */
async function flood(channel: Channel): Promise<void> {
  const message = new Uint8Array(100_000);
  const sending = async () => {
    for (;;) await channel.send(message);
  };
  sending().catch(() => {}); // The end of the channel ends it.
  for (let sent = -1; sent !== channel.stats.bytesSent;) {
    sent = channel.stats.bytesSent;
    await delay(100);
  }
}

Deno.test("sluice connect sends lines as they are, and nothing that is no text", async () => {
  await using server = start(["listen", "--echo", "127.0.0.1:0"]);
  const address = await server.address();
  const sent = [0xef, 0xbb, 0xbf, 0xc3, 0xa9, 0x0a];
  const same = await runBytes(["connect", address], new Uint8Array(sent));
  assertEquals(same.code, 0, same.err);
  assertEquals([...same.out], sent);
  const wrong = await runBytes(["connect", address], new Uint8Array([0xff]));
  assertEquals([wrong.code, wrong.out.length], [1, 0]);
  assertStringIncludes(wrong.err, "is not UTF-8 text: use --whole");
});

// Help and wrong command lines

Deno.test("sluice --help lists the commands, and each command has a help of its own", async () => {
  const commands = ["listen", "connect", "forward", "bench"];
  const [all, ...each] = await Promise.all([
    run(["--help"]),
    ...commands.map(async (name) => ({
      name,
      ...await run([name, "--help"]),
    })),
  ]);
  assertEquals([all.code, all.err], [0, ""]);
  for (const { name, code, out, err } of each) {
    assertMatch(all.out, new RegExp(`^  ${name} +\\w`, "m"));
    assertEquals([code, err], [0, ""]);
    assertStringIncludes(out, `Usage: sluice ${name} [OPTION]...`);
    assertMatch(out, /^ {2}--help +Print this help$/m);
  }
});

Deno.test("A wrong command line is told on standard error, with exit code 2", async () => {
  await using folder = await temporaryFolder();
  const short = join(folder.path, "short");
  await Deno.writeTextFile(short, "short");
  const cases: [args: string[], message: string][] = [
    [[], "sluice: missing COMMAND"],
    [["conect"], 'sluice: unknown command "conect"'],
    [["connect"], "sluice connect: missing ADDRESS"],
    [["connect", "a:1", "b:2"], 'unexpected argument "b:2"'],
    [["connect", "--colour", "a:1"], "unknown option --colour"],
    [["connect", "--count", "0", "a:1"], "--count must be an integer from 1"],
    [["connect", "a:1", "--timeout"], "option --timeout needs a value: MS"],
    [["connect", "nowhere"], '"nowhere" is no address'],
    [["connect", "tcp:a:70000"], "must be an integer from 0 to 65535"],
    [["connect", "cmd:"], '"cmd:" is no address'],
    [["connect", "--key-file", short, "a:1"], "16"],
    [["listen", "cmd:cat"], "cannot listen on a command"],
    [["listen", "tls:127.0.0.1:0"], "needs --tls-cert and --tls-key"],
    // Options of TLS that no address is for.
    [["connect", "--tls-ca", "f", "a:1"], "--tls-ca needs an address tls:"],
    [["bench", "--tls-ca", "f", "unix:a"], "--tls-ca needs an address tls:"],
    [
      ["listen", "--tls-cert", "f", "--tls-key", "f", "127.0.0.1:0"],
      "--tls-cert needs an address tls:",
    ],
    [
      ["listen", "--tls-ca", "f", "tls:127.0.0.1:0"],
      "--tls-ca needs an address tls:HOST:PORT to connect to",
    ],
    [
      ["forward", "--tls-ca", "f", "tls:127.0.0.1:0", "a:1"],
      "--tls-ca needs an address tls:HOST:PORT to connect to",
    ],
    [["connect", "--timeout", "5", "cmd:cat"], "--timeout does not go with"],
    [["forward", "127.0.0.1:0"], "missing TO"],
    [["forward", "--raw", "left", "a:0", "b:1"], "--raw must be from, to or"],
    [["bench", "--size", "64,x", "a:1"], "each --size must be an integer"],
  ];
  for (const { args, message, code, out, err } of await runAll(cases)) {
    assertEquals([code, out], [2, ""], args.join(" "));
    assertStringIncludes(err, message);
    assertMatch(err, /^Try sluice( \w+)? --help$/m);
  }
});

Deno.test("A failure is told on standard error in a line, with exit code 1", async () => {
  const port = freePort();
  const cases: [args: string[], message: string][] = [
    [["connect", `${HOST}:${port}`], `Cannot connect to ${HOST}:${port}: `],
    [["bench", `${HOST}:${port}`], `Cannot connect to ${HOST}:${port}: `],
    [["connect", "unix:/nonexistent/socket"], "Cannot connect to /nonexistent"],
    [["connect", "cmd:no-such-program"], "Cannot spawn no-such-program"],
    [["connect", "--key-file", "/nonexistent/key", "a:1"], "/nonexistent/key"],
    [["connect", "--file", "/nonexistent/file", "cmd:cat"], "nonexistent/file"],
  ];
  for (const { args, message, code, out, err } of await runAll(cases)) {
    assertEquals([code, out], [1, ""], args.join(" "));
    assertStringIncludes(err, message);
    assertEquals(err.trimEnd().split("\n").length, 1, err);
  }
});

// connect

Deno.test("connect sends lines as messages and prints what comes back as lines", async () => {
  await using server = serveEchoes();
  const { code, out, err } = await run(
    ["connect", `${HOST}:${server.addr.port}`],
    "one\n\nzwölf\nlast without an end",
  );
  assertEquals([code, out, err], [
    0,
    "one\n\nzwölf\nlast without an end\n",
    "",
  ]);
});

Deno.test("connect sends whole files as messages, and prints them as they are", async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, "file");
  const lengths: number[] = [];
  const content = "two\nlines ".repeat(30_000);
  await Deno.writeTextFile(file, content);
  await using server = serve({ port: 0 }, async (channel) => {
    for await (const message of channel) {
      lengths.push(message.byteLength);
      await channel.send(message);
    }
  });
  const { code, out } = await run([
    "connect",
    ...["--file", file, "--file", file, "--whole", "--raw"],
    `${HOST}:${server.addr.port}`,
  ], "all of\nthe input\n");
  assertEquals(code, 0);
  assertEquals(lengths, [300_000, 300_000, 17]);
  assert(out === content + content + "all of\nthe input\n");
});

Deno.test("connect --count ends after as many messages, whatever the peer does", async () => {
  await using server = serve({ port: 0 }, async (channel, { signal }) => {
    for (const text of ["a", "b", "c"]) await channel.send(bytes(text));
    await channel.recv({ signal }).catch(() => {});
  });
  await using child = start(
    ["connect", "--count", "2", `${HOST}:${server.addr.port}`],
  );
  assertEquals(await child.line(), "a");
  assertEquals(await child.line(), "b");
  assertEquals(await child.end(), { code: 0, err: "" });
});

Deno.test("connect fails when the peer ends while there is more to send", async () => {
  await using server = serve({ port: 0 }, (channel) => channel.recv());
  await using child = start(["connect", `${HOST}:${server.addr.port}`]);
  await child.input.write(bytes("only this\n"));
  const { code, err } = await child.end();
  assertEquals(code, 1);
  assertStringIncludes(err, "Cannot send all messages as the peer has ended");
});

Deno.test("connect fails when the peer ends within a message, though it reads the rest", async () => {
  await using service = serveConns(async (conn) => {
    const buffer = new Uint8Array(100_000);
    await conn.read(buffer);
    await conn.closeWrite();
    await delay(30); // Until then there is no room for all of it on the way.
    while (await conn.read(buffer) !== null);
  });
  const address = `${HOST}:${service.port}`;
  const { code, err } = await run(
    ["connect", "--whole", address],
    "long ".repeat(6_000_000),
  );
  assertEquals(code, 1);
  assertStringIncludes(err, "Cannot send all messages as the peer has ended");
});

for (const [late, code] of [["", 0], ["late\n", 1]] as const) {
  const what = code === 0 ? "the end of its input" : "a message";
  Deno.test(`connect gives ${code} for ${what} just after the end of the peer`, async () => {
    await using server = serve({ port: 0 }, async (channel) => {
      await channel.send(await channel.recv() ?? bytes(""));
    });
    const args = ["connect", `${HOST}:${server.addr.port}`];
    await using child = start(args, ["--preload", PATH("tests/_slow_end.ts")]);
    await child.input.write(bytes("answered\n"));
    assertEquals(await child.line(), "answered");
    assertEquals(await child.told(), "the peer has ended");
    await child.input.write(bytes(late)).catch(() => {}); // It may have ended.
    await child.input.close().catch(() => {});
    const err =
      "sluice connect: Cannot send all messages as the peer has ended";
    assertEquals(await child.end(), { code, err: code === 0 ? "" : err });
  });
}

Deno.test("connect ends quietly when nobody reads its output", async () => {
  await using server = serve({ port: 0 }, async (channel) => {
    for (;;) await channel.send(bytes("more"));
  });
  const [program, ...rest] = [
    ...COMMAND,
    "connect",
    `${HOST}:${server.addr.port}`,
  ];
  const quoted = [program, ...rest].map((word) => `'${word}'`).join(" ");
  const { stdout, stderr } = await new Deno.Command("sh", {
    // The pipe's own exit code is that of head: the other one is printed.
    args: ["-c", `(yes | ${quoted}; echo "code $?" >&2) | head -n 2`],
    stdin: "null",
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "more\nmore\n");
  assertEquals(new TextDecoder().decode(stderr), "code 0\n");
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`connect ends at ${signal} with 130, and its peer sees a clean end`, async () => {
    const ended = Promise.withResolvers<Uint8Array | null>();
    await using server = serve({ port: 0 }, async (channel) => {
      await channel.send(bytes("ready"));
      ended.resolve(await channel.recv());
    });
    await using child = start(["connect", `${HOST}:${server.addr.port}`]);
    assertEquals(await child.line(), "ready");
    assertEquals(await child.end(signal), { code: 130, err: "" });
    assertEquals(await ended.promise, null);
  });
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name:
      `connect at ${signal} waits for no command that goes on after the end of its input`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      await using folder = await temporaryFolder();
      const note = join(folder.path, "note");
      await using child = start(["connect", stubborn(note)]);
      await child.input.close();
      assertEquals(await child.line(), "ended");
      assertEquals(await child.end(signal), { code: 130, err: "" });
      await assertRejects(() => Deno.stat(note), Deno.errors.NotFound);
    },
  });
}

Deno.test("connect speaks to a command that it starts", async () => {
  const program = `["${Deno.execPath()}", "eval",
    "await Deno.stdin.readable.pipeTo(Deno.stdout.writable)"]`;
  assertEquals(
    await run(["connect", `cmd:${program}`], "to a child\n"),
    { code: 0, out: "to a child\n", err: "" },
  );
  // cat gives the frames back as they came.
  assertEquals(
    await run(["connect", "cmd:cat -u"], "to a cat\n"),
    { code: 0, out: "to a cat\n", err: "" },
  );
});

// listen

Deno.test("listen prints the messages of all who connect, and ends at SIGINT with 0", async () => {
  await using child = start(["listen", `${HOST}:0`]);
  const address = await child.address();
  assertMatch(address, /^tcp:127\.0\.0\.1:\d+$/);
  const port = Number(address.split(":")[2]);
  for (const text of ["first", "second"]) {
    await using channel = await connect({ port });
    await channel.send(bytes(text));
    assertEquals(await child.line(), text);
  }
  await using idle = await connect({ port });
  await idle.send(bytes("third"));
  assertEquals(await child.line(), "third");
  // It ends although somebody is connected, who sees a clean end.
  const end = child.end("SIGINT");
  assertEquals(await idle.recv(), null);
  assertEquals(await end, { code: 0, err: "" });
});

Deno.test("listen and connect meet on a Unix socket, with --once and through a pipe", async () => {
  await using folder = await temporaryFolder();
  const address = `unix:${join(folder.path, "socket")}`;
  await using child = start(["listen", "--once", address]);
  assertEquals(await child.address(), address);
  const sent = await run(["connect", address], "a\nb\n");
  assertEquals(sent, { code: 0, out: "", err: "" });
  assertEquals(await child.line(), "a");
  assertEquals(await child.line(), "b");
  assertEquals(await child.line(), undefined);
  assertEquals(await child.end(), { code: 0, err: "" });
});

Deno.test("listen --once fails when its connection did", async () => {
  await using child = start(["listen", "--once", `${HOST}:0`]);
  const port = Number((await child.address()).split(":")[2]);
  const client = await createSocketStream(HOST, port);
  await client.write(new Uint8Array([0, 0, 0, 100, 0, 1])); // How a message begins.
  await client.close();
  const { code, err } = await child.end();
  assertEquals(code, 1);
  assertStringIncludes(err, "the stream ended inside a frame");
});

Deno.test("listen and connect meet over TLS, encrypted and compressed as well", async () => {
  await using files = await certificateFiles();
  await using folder = await temporaryFolder();
  const key = ["--key-file", await writeKey(folder.path)];
  await using child = start([
    ...["listen", "--echo", ...key],
    ...["--tls-cert", files.server.cert, "--tls-key", files.server.key],
    `tls:${HOST}:0`,
  ]);
  const address = await child.address();
  const long = "long ".repeat(10_000);
  const tls = ["--tls-ca", files.ca];
  const [good, untrusted] = await Promise.all([
    run(["connect", ...key, ...tls, "--compress", address], `${long}\n`),
    run(["connect", ...key, address]),
  ]);
  assertEquals(good, { code: 0, out: `${long}\n`, err: "" });
  assertEquals([untrusted.code, untrusted.out], [1, ""]);
  assertStringIncludes(untrusted.err, "Cannot connect to");
});

Deno.test("listen tells of a peer with another key, and goes on", async () => {
  await using folder = await temporaryFolder();
  const file = await writeKey(folder.path);
  await using child = start(["listen", "--key-file", file, `${HOST}:0`]);
  const port = Number((await child.address()).split(":")[2]);
  const stranger = crypto.getRandomValues(new Uint8Array(32));
  await connect({ port }, { key: stranger }).then(
    () => assert(false),
    () => {},
  );
  await using channel = await connect({ port }, {
    key: await Deno.readFile(file),
  });
  await channel.send(bytes("after all"));
  assertEquals(await child.line(), "after all");
  const { code, err } = await child.end("SIGINT");
  assertEquals(code, 0);
  assertMatch(err, /^sluice listen: 127\.0\.0\.1:\d+: Cannot /);
});

for (
  const [what, ...options] of [["its output"], ["its replies", "--echo"]]
) {
  Deno.test(`listen ends soon at SIGTERM, though nobody reads ${what}`, async () => {
    await using child = start(["listen", ...options, `${HOST}:0`]);
    const port = Number((await child.address()).split(":")[2]);
    await using client = await connect({ port }, { closeTimeout: 0 });
    await flood(client);
    const interrupted = performance.now();
    assertEquals(await child.end("SIGTERM"), { code: 0, err: "" });
    assertLess(performance.now() - interrupted, 5000);
  });
}

// forward

Deno.test("forward bridges messages, encrypted on the way between two of it", async () => {
  await using folder = await temporaryFolder();
  const key = ["--key-file", await writeKey(folder.path)];
  await using server = serveEchoes();
  const { port } = server.addr;
  await using far = start([
    ...["forward", ...key, "--secure", "from"],
    ...[`${HOST}:0`, `${HOST}:${port}`],
  ]);
  const middle = await far.address();
  await using near = start([
    ...["forward", ...key, "--compress", `${HOST}:0`, middle],
  ]);
  const address = await near.address();
  assertEquals(
    await run(["connect", address], "through\nboth\n"),
    { code: 0, out: "through\nboth\n", err: "" },
  );
  // Without the key nobody gets through the middle.
  const plain = await run(["connect", middle], "hello\n");
  assertEquals([plain.code, plain.out], [1, ""]);
  assertEquals((await near.end("SIGINT")).code, 0);
  assertEquals((await far.end("SIGTERM")).code, 0);
});

Deno.test("forward --raw carries the bytes of any service, and their end", async () => {
  await using folder = await temporaryFolder();
  const key = ["--key-file", await writeKey(folder.path)];
  await using service = serveEcho();
  await using far = start([
    ...["forward", ...key, "--secure", "from", "--raw", "to"],
    ...[`${HOST}:0`, `${HOST}:${service.port}`],
  ]);
  await using near = start([
    ...["forward", ...key, "--raw", "from", `${HOST}:0`, await far.address()],
  ]);
  const port = Number((await near.address()).split(":")[2]);
  const data = new Uint8Array(1_000_000).fill(7);
  await using client = await createSocketStream(HOST, port);
  const [back] = await Promise.all([
    client.read(data.byteLength),
    client.write(data).then(() => client.closeWrite()),
  ]);
  assertEquals(back, data);
  assertEquals(await client.read(1), null);
  assertEquals(await near.end("SIGINT"), { code: 0, err: "" });
});

Deno.test("forward passes the end of a service on to a client that goes on", async () => {
  const received = Promise.withResolvers<number | null>();
  await using service = serveConns(async (conn) => {
    await conn.write(bytes("bye"));
    await conn.closeWrite();
    received.resolve(await conn.read(new Uint8Array(10)));
  });
  await using child = start([
    ...["forward", "--raw", "both", `${HOST}:0`, `${HOST}:${service.port}`],
  ]);
  const port = Number((await child.address()).split(":")[2]);
  await using client = await createSocketStream(HOST, port);
  assertEquals(await client.read(3), bytes("bye"));
  assertEquals(await client.read(1), null);
  await client.write(bytes("still"));
  assertEquals(await received.promise, 5);
});

Deno.test({
  name:
    "forward at SIGTERM waits for no command that goes on after the end of its input",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using folder = await temporaryFolder();
    const note = join(folder.path, "note");
    await using child = start(["forward", `${HOST}:0`, stubborn(note)]);
    const port = Number((await child.address()).split(":")[2]);
    await using client = await connect({ port });
    await client.writable.close();
    assertEquals(await client.recv(), bytes("ended"));
    assertEquals((await child.end("SIGTERM")).code, 0);
    await assertRejects(() => Deno.stat(note), Deno.errors.NotFound);
  },
});

Deno.test("forward goes on when the address that it leads to refuses", async () => {
  const port = freePort();
  await using child = start(["forward", `${HOST}:0`, `${HOST}:${port}`]);
  const near = Number((await child.address()).split(":")[2]);
  for (let attempt = 0; attempt < 2; attempt++) {
    const stream = await createSocketStream(HOST, near);
    const channel = new Channel(stream);
    assertEquals(await channel.recv().catch(() => null), null);
    await channel.close();
  }
  const { code, err } = await child.end("SIGINT");
  assertEquals(code, 0);
  assertEquals(err.split("\n").length, 2, err);
  assertStringIncludes(err, `Cannot connect to ${HOST}:${port}`);
});

Deno.test("forward goes on when nobody reads its standard error", async () => {
  const port = freePort();
  await using child = start([
    ...["forward", "--raw", "both", `${HOST}:0`, `${HOST}:${port}`],
  ]);
  const near = Number((await child.address()).split(":")[2]);
  await child.dropErrors();
  // Each has something told, and the next one finds it alive.
  for (let attempt = 0; attempt < 3; attempt++) {
    await using client = await createSocketStream(HOST, near);
    assertEquals(await client.read(1).catch(() => null), null);
  }
  assertEquals((await child.end("SIGINT")).code, 0);
});

// bench

Deno.test("bench measures an echo server, for people and as JSON", async () => {
  await using child = start(["listen", "--echo", `${HOST}:0`]);
  const address = await child.address();
  const options = ["--duration", "100", "--size", "64,100000"];
  const json = await run(["bench", "--json", ...options, address]);
  assertEquals([json.code, json.err], [0, ""]);
  const { results, ...rest } = JSON.parse(json.out);
  assertEquals(rest, {
    address,
    encrypted: false,
    compressed: false,
    duration: 100,
  });
  assertEquals(results.map(({ size }: { size: number }) => size), [64, 100000]);
  for (const { messages, messagesPerSecond, roundTrip } of results) {
    assertGreater(messages, 0);
    assertGreater(messagesPerSecond, 0);
    const { count, p50, p90, p99, max } = roundTrip;
    assertGreater(count, 0);
    assert(p50 > 0 && p50 <= p90 && p90 <= p99 && p99 <= max);
  }
  const people = await run(["bench", ...options, address]);
  assertEquals([people.code, people.err], [0, ""]);
  const [head, ...rows] = people.out.trimEnd().split("\n");
  assertMatch(head!, /^ *size +messages\/s +bytes\/s +p50 +p90 +p99 +max$/);
  assertEquals(rows.length, 2);
  assertMatch(rows[0]!, /^ *64 B +[\d,]+ +[\d.]+ .?B( +\d+\.\d{3} ms){4}$/);
});

peerTest(
  python3,
  "bench shows on a terminal what it measures, while it does",
  async () => {
    await using child = start(["listen", "--echo", `${HOST}:0`]);
    const address = await child.address();
    const terminal = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
    const { code, stdout } = await new Deno.Command(commandOf(python3), {
      args: [
        ...["-c", terminal, ...COMMAND, "bench"],
        ...["--duration", "500", "--size", "64", address],
      ],
      stdin: "null",
      stderr: "piped",
    }).output();
    assertEquals(code, 0);
    const shown = new TextDecoder().decode(stdout).split("\r\x1b[K");
    assertMatch(shown[1]!, /^64 B: [\d,]+ messages\/s$/);
    assert(shown.some((text) => /^64 B: \d+ round trips$/.test(text)));
    assertStringIncludes(shown.at(-1)!, "messages/s  bytes/s");
  },
);

Deno.test("bench says so when the peer is no echo server", async () => {
  await using server = serve({ port: 0 }, async (channel) => {
    await channel.recv();
    await channel.send(bytes("something else"));
    await channel.recv();
  });
  const { code, out, err } = await run([
    "bench",
    `${HOST}:${server.addr.port}`,
  ]);
  assertEquals([code, out], [1, ""]);
  assertStringIncludes(err, "the peer does not send messages back");
});

Deno.test("bench ends at SIGINT with 130", async () => {
  const measuring = Promise.withResolvers<void>();
  await using server = serve({ port: 0 }, async (channel) => {
    for await (const message of channel) {
      await channel.send(message);
      measuring.resolve();
    }
  });
  await using child = start(
    ["bench", "--duration", "60000", `${HOST}:${server.addr.port}`],
  );
  await measuring.promise;
  assertEquals(await child.end("SIGINT"), { code: 130, err: "" });
});
