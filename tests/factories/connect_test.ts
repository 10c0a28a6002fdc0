import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { fromFileUrl } from "@std/path/from-file-url";
import {
  type ChannelSettings,
  connect,
  ConnectionLostError,
  type ConnectTarget,
  createSocketStream,
  EncryptionError,
  listen,
  serve,
  type ServeOptions,
  StreamTimeoutError,
} from "@sluice/sluice";
import { certificateFiles } from "../_certificates.ts";
import { ask, bytes, echo, socketPath } from "./_support.ts";

const KEY = crypto.getRandomValues(new Uint8Array(32));
const ECHO_CHILD = [
  Deno.execPath(),
  "run",
  "--quiet",
  "--allow-all",
  fromFileUrl(new URL("./_echo_child.ts", import.meta.url)),
];

/** Where to listen and what to connect to, made anew for each test. */
type Place = (resources: AsyncDisposableStack) => Promise<{
  server: ServeOptions;
  target: (addr: Deno.Addr) => ConnectTarget;
}>;

const portOf = (addr: Deno.Addr) => "port" in addr ? addr.port : 0;

const PLACES: Record<string, Place> = {
  TCP: () =>
    Promise.resolve({
      server: { port: 0 },
      target: (addr) => ({ hostname: "127.0.0.1", port: portOf(addr) }),
    }),
  TLS: async (resources) => {
    const { ca, server } = resources.use(await certificateFiles());
    return {
      server: { port: 0, certFile: server.cert, keyFile: server.key },
      target: (addr) => ({ port: portOf(addr), tls: { caCerts: [ca] } }),
    };
  },
  "a Unix socket": async (resources) => {
    const { path } = resources.use(await socketPath());
    return { server: { path }, target: () => ({ path }) };
  },
};

const KINDS: Record<string, ChannelSettings> = {
  "a plain channel": {},
  "an encrypted channel": { key: KEY, context: bytes("test") },
  "an encrypted, compressed and batching channel": {
    key: KEY,
    compression: { threshold: 10 },
    batching: { size: 2, timeout: 5 },
  },
};

for (const [place, meet] of Object.entries(PLACES)) {
  for (const [kind, settings] of Object.entries(KINDS)) {
    Deno.test({
      name: `connect and serve carry messages over ${place} through ${kind}`,
      ignore: place === "a Unix socket" && Deno.build.os === "windows",
      fn: async () => {
        await using resources = new AsyncDisposableStack();
        const { server: options, target } = await meet(resources);
        await using server = serve({ ...options, ...settings }, echo);
        await using channel = await connect(target(server.addr), settings);
        assertEquals(await ask(channel, "hello"), "hello");
        const long = "all the same ".repeat(1000);
        assertEquals(await ask(channel, long), long);
        const { bytesSent } = channel.stats;
        assertEquals(
          bytesSent < long.length,
          settings.compression !== undefined,
          "compressed or not, as it was told",
        );
        await channel.close();
      },
    });
  }
}

for (const key of [undefined, KEY]) {
  Deno.test(`connect talks to a command${key ? ", encrypted," : ""} and ends it`, async () => {
    const channel = await connect({
      command: ECHO_CHILD,
      ...(key && { env: { SLUICE_TEST_KEY: encodeHex(key) } }),
    }, { key });
    assertEquals(await ask(channel, "to my child"), "to my child");
    await channel.close(); // The sanitizers see a child that is left.
    assertEquals(await channel.finished, undefined);
  });
}

Deno.test("connect to a command that dies within the handshake leaves nothing", async () => {
  const command = [Deno.execPath(), "eval", "Deno.exit(3)"];
  await assertRejects(
    () => connect({ command }, { key: KEY }),
    ConnectionLostError,
    "3",
  );
});

Deno.test({
  name: "connect that gives a silent command up has ended it by then",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using place = await socketPath();
    const script = 'echo $$ > "$0.new"; mv "$0.new" "$0"; exec sleep 60';
    const abortion = new AbortController();
    const connecting = connect({
      command: ["sh", "-c", script, place.path],
      signal: abortion.signal,
    }, { key: KEY });
    const rejected = assertRejects(() => connecting, Error, "enough");
    let pid = "";
    while (pid === "") {
      pid = await Deno.readTextFile(place.path).catch(() => "");
    }
    abortion.abort(new Error("enough"));
    await rejected;
    // Not even as a process that has ended and nobody has waited for.
    assertThrows(() => Deno.kill(Number(pid), "SIGCONT"));
  },
});

Deno.test("connect refuses wrong options before it connects", async () => {
  using listener = listen({ port: 0 });
  const { port } = listener.addr;
  const cases: [ChannelSettings, typeof RangeError | typeof TypeError][] = [
    [{ maxMessageSize: -1 }, RangeError],
    [{ compression: { level: 10 } }, RangeError],
    [{ key: new Uint8Array(15) }, RangeError],
    [{ key: new Uint8Array(32) }, RangeError],
    [{ context: new Uint8Array(1) }, TypeError],
    [{ role: "initiator" }, TypeError],
  ];
  for (const [options, type] of cases) {
    await assertRejects(() => connect({ port }, options), type);
  }
  for (const name of ["signal", "timeout", "attempts"]) {
    await assertRejects(
      () => connect({ port }, { [name]: 1 }),
      TypeError,
      `with ${name}: it goes with what is connected to`,
    );
  }
  const targets = [
    [{ port, cwd: "/" }, "connect to a port with cwd"],
    [{ port, caCerts: [] }, "connect to a port with caCerts"],
    [{ port, tls: { rejectUnauthorized: false } }, "connect over TLS with"],
    [{ path: "/nowhere", tls: true }, "connect to a Unix socket with tls"],
    [{ path: "/nowhere", port }, "connect to a Unix socket with port"],
    [{ command: ["cat"], timeout: 5000 }, "connect to a command with timeout"],
  ] as [ConnectTarget, string][];
  for (const [target, message] of targets) {
    await assertRejects(() => connect(target), TypeError, message);
  }
  // Nobody was there before this one.
  const accepting = listener.accept();
  await using stream = await createSocketStream("127.0.0.1", port);
  await using accepted = await accepting;
  assertEquals(accepted.info.remote, stream.info.local);
});

Deno.test("connect tells that nobody listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const error = await assertRejects(
    () => connect({ port }),
    ConnectionLostError,
    `Cannot connect to 127.0.0.1:${port}`,
  );
  assert(error.cause instanceof Deno.errors.ConnectionRefused);
});

Deno.test({
  name: "connect does not try again what is not permitted, or cannot be",
  permissions: { net: false, run: false, read: true, write: true },
  async fn() {
    const { NotCapable } = Deno.errors;
    const { connect: platformConnect } = Deno;
    const misuse = () => Promise.reject(new TypeError("no address"));
    const target = { port: 1, attempts: 5 };
    try {
      for (const answer of [platformConnect, misuse]) {
        let attempts = 0;
        Deno.connect = ((options: Deno.ConnectOptions) => {
          attempts++;
          return answer(options);
        }) as typeof Deno.connect;
        const [type, message] = answer === misuse
          ? [TypeError, "no address"]
          : [NotCapable, "net access"];
        await assertRejects(() => connect(target), type, message);
        assertEquals(attempts, 1);
      }
    } finally {
      Deno.connect = platformConnect;
    }
    await assertRejects(() => connect({ command: ["cat"] }), NotCapable);
  },
});

Deno.test("connect with the wrong key fails, and neither side keeps a socket", async () => {
  const phases: string[] = [];
  await using server = serve({
    port: 0,
    key: KEY,
    onError: (_, { phase }) => phases.push(phase),
  }, () => phases.push("handler"));
  const wrong = new Uint8Array(KEY);
  wrong[0]! ^= 1;
  await assertRejects(async () => {
    const { port } = server.addr;
    await using channel = await connect({ port }, { key: wrong });
    await channel.recv();
  }); // An EncryptionError, or the loss of the connection, by who is faster.
  await server.shutdown();
  assertEquals(phases, ["handshake"]);
});

Deno.test("connect with a key rejects a peer that has another one, with an EncryptionError", async () => {
  // The responder is the first to notice; an initiator in its place is told.
  await using server = serve(
    { port: 0, key: KEY, role: "initiator", onError: () => {} },
    () => {},
  );
  const { port } = server.addr;
  const wrong = KEY.toReversed();
  await assertRejects(
    () => connect({ port }, { key: wrong, role: "responder" }),
    EncryptionError,
  );
});

Deno.test("connect gives a silent peer up at handshakeTimeout, and leaves no socket", async () => {
  using listener = listen({ port: 0 });
  const connecting = connect(
    { port: listener.addr.port },
    { key: KEY, handshakeTimeout: 50 },
  );
  await using peer = await listener.accept();
  const error = await assertRejects(() => connecting, StreamTimeoutError);
  assertEquals(error.timeout, 50);
  await assertEnds(peer);
});

Deno.test("connect that is aborted within the handshake rejects with the reason, and leaves no socket", async () => {
  using listener = listen({ port: 0 });
  const abortion = new AbortController();
  const connecting = connect(
    { port: listener.addr.port, signal: abortion.signal },
    { key: KEY, handshakeTimeout: 0 },
  );
  await using peer = await listener.accept();
  abortion.abort(new Error("changed my mind"));
  await assertRejects(() => connecting, Error, "changed my mind");
  await assertEnds(peer);
});

Deno.test("connect that is aborted before it begins connects to nobody", async () => {
  using listener = listen({ port: 0 });
  const { port } = listener.addr;
  const signal = AbortSignal.abort(new Error("too late"));
  await assertRejects(() => connect({ port, signal }), Error, "too late");
  await assertRejects(
    () => connect({ command: ["does-not-exist"], signal }),
    Error,
    "too late",
  );
});

Deno.test("the signal of connect has no effect on the channel", async () => {
  await using server = serve({ port: 0 }, echo);
  for (const place of [{ port: server.addr.port }, { command: ECHO_CHILD }]) {
    const abortion = new AbortController();
    const { signal } = abortion;
    await using channel = await connect({ ...place, signal });
    abortion.abort();
    assertEquals(await ask(channel, "still here"), "still here");
  }
});

/** Reads what the handshake sent, until the end. */
async function assertEnds(
  stream: { readable: ReadableStream<Uint8Array> },
): Promise<void> {
  let size = 0;
  try {
    for await (const chunk of stream.readable) size += chunk.byteLength;
  } catch (error) { // A reset is an end too.
    assert(error instanceof ConnectionLostError);
  }
  assert(size <= 80, `${size} bytes`);
}
