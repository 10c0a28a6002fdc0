import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  createSocketStream,
  createSslStream,
  createUnixStream,
  type ErrorInfo,
  listen,
  type ListenOptions,
  StreamClosedError,
  StreamTimeoutError,
} from "@sluice/sluice";
import { certificateFiles } from "../_certificates.ts";
import { Log, socketPath } from "./_support.ts";

const HOST = "127.0.0.1";

Deno.test("listen is reachable from this machine only unless it is told otherwise", () => {
  using listener = listen({ port: 0 });
  assertEquals(listener.addr.hostname, HOST);
});

Deno.test("listen hands out connections in the order in which they were asked for", async () => {
  using listener = listen({ port: 0 });
  const acceptingOne = listener.accept();
  const acceptingTwo = listener.accept();
  await using first = await createSocketStream(HOST, listener.addr.port);
  await using one = await acceptingOne;
  await using second = await createSocketStream(HOST, listener.addr.port);
  await using two = await acceptingTwo;
  assertEquals(one.info.remote, first.info.local);
  assertEquals(two.info.remote, second.info.local);
});

Deno.test("listen turns Nagle's algorithm off for accepted connections, unless told not to", async () => {
  using probe = Deno.listen({ hostname: HOST, port: 0 });
  const accepting = probe.accept();
  using conn = await Deno.connect({ hostname: HOST, port: probe.addr.port });
  using _accepted = await accepting;
  const prototype: Deno.TcpConn = Object.getPrototypeOf(conn);
  const { setNoDelay, setKeepAlive } = prototype;
  const calls: string[] = [];
  prototype.setNoDelay = function (noDelay) {
    calls.push(`noDelay ${noDelay}`);
    setNoDelay.call(this, noDelay);
  };
  prototype.setKeepAlive = function (keepAlive) {
    calls.push(`keepAlive ${keepAlive}`);
    setKeepAlive.call(this, keepAlive);
  };
  try {
    const cases: [{ noDelay?: boolean; keepAlive?: boolean }, string[]][] = [
      [{}, ["noDelay true"]],
      [{ noDelay: false, keepAlive: true }, [
        "keepAlive true",
        "noDelay false",
      ]],
    ];
    for (const [options, expected] of cases) {
      using listener = listen({ port: 0, ...options });
      const accepting = listener.accept();
      using _client = await Deno.connect({
        hostname: HOST,
        port: listener.addr.port,
      });
      await using _server = await accepting;
      assertEquals(calls.splice(0), expected);
    }
  } finally {
    Object.assign(prototype, { setNoDelay, setKeepAlive });
  }
});

Deno.test("an aborted accept loses no connection", async () => {
  using listener = listen({ port: 0 });
  const abortion = new AbortController();
  const accepting = listener.accept({ signal: abortion.signal });
  abortion.abort(new Error("changed my mind"));
  await assertRejects(() => accepting, Error, "changed my mind");
  await assertRejects(
    () => listener.accept({ signal: abortion.signal }),
    Error,
    "changed my mind",
  );

  await using client = await createSocketStream(HOST, listener.addr.port);
  await using server = await listener.accept();
  assertEquals(server.info.remote, client.info.local);
});

Deno.test("closing the listener ends waiting accepts and the iteration, and closes whom nobody took", async () => {
  const listener = listen({ port: 0 });
  const iterating = (async () => {
    for await (const stream of listener) await stream.close();
    return "ended";
  })();
  const waiting = assertRejects(() => listener.accept(), StreamClosedError);
  const first = await createSocketStream(HOST, listener.addr.port);
  assertEquals(await first.read(1), null); // Closed by the iteration.

  listener.close();
  assertEquals(await iterating, "ended");
  await waiting;
  await assertRejects(() => listener.accept(), StreamClosedError);
  listener.close();
  await first.close();
});

Deno.test("a connection that nobody has taken is closed with the listener", async () => {
  const listener = listen({ port: 0 });
  const abortion = new AbortController();
  const accepting = assertRejects(() =>
    listener.accept({ signal: abortion.signal })
  );
  abortion.abort();
  await accepting;
  // The accept under way takes the first; the second stays in the backlog.
  await using taken = await createSocketStream(HOST, listener.addr.port);
  await using waiting = await createSocketStream(HOST, listener.addr.port);
  listener.close();
  for (const stream of [taken, waiting]) {
    const end = await stream.read(1).catch(() => null); // An end or a reset.
    assertEquals(end, null);
  }
});

Deno.test("leaving the iteration closes the listener, as it does with Deno.Listener", async () => {
  const listener = listen({ port: 0 });
  await using _client = await createSocketStream(HOST, listener.addr.port);
  for await (const stream of listener) {
    await stream.close();
    break;
  }
  await assertRejects(() => listener.accept(), StreamClosedError);
});

Deno.test("a silent TLS client holds up nobody, and is given up after the deadline", async () => {
  await using files = await certificateFiles();
  const errors = new Log<[unknown, ErrorInfo]>();
  using listener = listen({
    port: 0,
    certFile: files.server.cert,
    keyFile: files.server.key,
    handshakeTimeout: 300,
    onError: (error, info) => errors.add([error, info]),
  });
  await using silent = await createSocketStream(HOST, listener.addr.port);
  await using client = await (async () => {
    const connecting = createSslStream(HOST, listener.addr.port, {
      caCerts: [files.ca],
    });
    await using server = await listener.accept();
    const client = await connecting;
    assertEquals(server.info.transport, "tls");
    assertEquals(server.info.remote, client.info.local);
    assertEquals(errors.items, []);
    await server.write(new Uint8Array([1]));
    return client;
  })();
  assertEquals(await client.read(1), new Uint8Array([1]));

  const [[error, { phase, info }]] = await errors.atLeast(1);
  assertInstanceOf(error, StreamTimeoutError);
  assertEquals(error.timeout, 300);
  assertEquals(phase, "handshake");
  assertEquals(info?.remote, silent.info.local);
  // The platform keeps the socket until we close it: nothing to read for it.
});

Deno.test("a client that does not speak TLS is told of, and ends nothing", async () => {
  await using files = await certificateFiles();
  const errors = new Log<[unknown, ErrorInfo]>();
  using listener = listen({
    port: 0,
    certFile: files.server.cert,
    keyFile: files.server.key,
    onError: (error, info) => errors.add([error, info]),
  });
  const accepting = listener.accept();
  await using stranger = await createSocketStream(HOST, listener.addr.port);
  await stranger.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  const [[_, { phase }]] = await errors.atLeast(1);
  assertEquals(phase, "handshake");

  const connecting = createSslStream(HOST, listener.addr.port, {
    caCerts: [files.ca],
  });
  await (await accepting).close();
  await (await connecting).close();
});

Deno.test("an onError of listen that throws ends nothing, and what it throws is printed", async () => {
  await using files = await certificateFiles();
  const printed = new Log<unknown>();
  const { error } = console;
  console.error = (message) => printed.add(message);
  try {
    const failure = new Error("onError failed");
    using listener = listen({
      port: 0,
      certFile: files.server.cert,
      keyFile: files.server.key,
      onError: () => {
        throw failure;
      },
    });
    const accepting = listener.accept();
    await using stranger = await createSocketStream(HOST, listener.addr.port);
    await stranger.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    assertEquals(await printed.atLeast(1), [failure]);
    listener.close();
    await assertRejects(() => accepting, StreamClosedError);
  } finally {
    console.error = error;
  }
});

Deno.test("listen refuses what the platform cannot honour, and leaves nothing listening", async () => {
  await using files = await certificateFiles();
  const tls = { certFile: files.server.cert, keyFile: files.server.key };
  const cases: [Record<string, unknown>, string][] = [
    [{ port: 0, ...tls, caCerts: [files.ca] }, "with caCerts: the platform's"],
    [
      { port: 0, ...tls, requestCert: true },
      "with requestCert: the platform's",
    ],
    [{ port: 0, ...tls, noDelay: true }, "with noDelay: the platform does"],
    [{ port: 0, ...tls, keepAlive: true }, "with keepAlive: the platform does"],
    [{ port: 0, certFile: files.server.cert }, "certFile and keyFile go"],
    [{ port: 0, keyFile: files.server.key }, "certFile and keyFile go"],
    [{ port: 0, backlogg: 3 }, "with backlogg: it has no such option"],
    [{ path: "socket", port: 1 }, "with port: it has no such option"],
    [{ path: "socket", noDelay: true }, "with noDelay: the platform does"],
  ];
  for (const [options, message] of cases) {
    assertThrows(
      () => listen(options as unknown as ListenOptions),
      TypeError,
      message,
    );
  }
  assertThrows(
    () => listen({ port: 0, ...tls, handshakeTimeout: -1 }),
    RangeError,
    "current value is -1",
  );
});

Deno.test("an accept that fails is tried again, and told of", async () => {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  const prototype: Deno.Listener = Object.getPrototypeOf(listener);
  const { accept } = prototype;
  let failures = 3;
  prototype.accept = function () {
    return failures-- > 0
      ? Promise.reject(new Error("Too many open files"))
      : accept.call(this);
  };
  const errors: [string, ErrorInfo][] = [];
  try {
    using ours = listen({
      port: 0,
      onError: (error, info) => errors.push([String(error), info]),
    });
    const accepting = ours.accept();
    await using client = await createSocketStream(HOST, ours.addr.port);
    await using server = await accepting;
    assertEquals(server.info.remote, client.info.local);
  } finally {
    prototype.accept = accept;
  }
  assertEquals(errors.map(([error]) => error), [
    "ConnectionLostError: Cannot accept a connection: Too many open files",
    "ConnectionLostError: Cannot accept a connection: Too many open files",
    "ConnectionLostError: Cannot accept a connection: Too many open files",
  ]);
  assertEquals(errors.map(([_, { phase }]) => phase), [
    "accept",
    "accept",
    "accept",
  ]);
});

Deno.test("closing the listener ends the pause after a failed accept", async () => {
  using any = Deno.listen({ hostname: HOST, port: 0 });
  const prototype: Deno.Listener = Object.getPrototypeOf(any);
  const { accept } = prototype;
  prototype.accept = () => Promise.reject(new Error("Too many open files"));
  try {
    const failures = new Log<unknown>();
    const listener = listen({ port: 0, onError: (e) => failures.add(e) });
    const accepting = assertRejects(() => listener.accept(), StreamClosedError);
    await failures.atLeast(4);
    listener.close(); // The sanitizers see a timer that is left.
    await accepting;
  } finally {
    prototype.accept = accept;
  }
});

const unix = { ignore: Deno.build.os === "windows" };

Deno.test(
  "a Unix socket is served, and its file removed at the close",
  unix,
  async () => {
    await using place = await socketPath();
    const listener = listen({ path: place.path });
    assertEquals(listener.addr.path, place.path);
    const accepting = listener.accept();
    await using client = await createUnixStream(place.path);
    await using server = await accepting;
    await client.write(new Uint8Array([5]));
    assertEquals(await server.read(1), new Uint8Array([5]));
    listener.close();
    await assertRejects(() => Deno.lstat(place.path), Deno.errors.NotFound);
  },
);

Deno.test(
  "a Unix socket that somebody listens on is refused, and goes on",
  unix,
  async () => {
    await using place = await socketPath();
    using listener = listen({ path: place.path });
    assertThrows(() => listen({ path: place.path }), Deno.errors.AddrInUse);
    const accepting = listener.accept();
    await using probe = await accepting; // The refused listener has looked.
    assertEquals(await probe.read(1), null);
    const next = listener.accept();
    await using client = await createUnixStream(place.path);
    await using server = await next;
    await server.write(new Uint8Array([1]));
    assertEquals(await client.read(1), new Uint8Array([1]));
  },
);

Deno.test(
  "a Unix socket that a killed process has left is replaced",
  unix,
  async () => {
    await using place = await socketPath();
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `Deno.listen({ transport: "unix", path: ${
          JSON.stringify(place.path)
        } });
       console.log("listening");
       await new Promise(() => setInterval(() => {}, 1000));`,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    assert((await Deno.lstat(place.path)).isSocket);

    using listener = listen({ path: place.path });
    const accepting = listener.accept();
    await using _client = await createUnixStream(place.path);
    await using _server = await accepting;
  },
);

/** Leaves a socket file at `path` that nobody listens on. */
async function leaveSocket(path: string): Promise<void> {
  using _listener = Deno.listen({ transport: "unix", path: `${path}.first` });
  await Deno.link(`${path}.first`, path);
}

/** Calls `act` when the state of a file is asked for the second time. */
function atSecondLook(
  act: (look: () => Deno.FileInfo) => Deno.FileInfo,
): Disposable {
  const { lstatSync } = Deno;
  let looks = 0;
  Deno.lstatSync = (path) => {
    const look = () => lstatSync(path);
    return ++looks === 2 ? act(look) : look();
  };
  return { [Symbol.dispose]: () => void (Deno.lstatSync = lstatSync) };
}

Deno.test(
  "a socket file that another process has just replaced is kept, whatever its number",
  unix,
  async () => {
    await using place = await socketPath();
    await leaveSocket(place.path);
    using _ = atSecondLook((look) => ({ ...look(), mtime: new Date() }));
    assertThrows(() => listen({ path: place.path }), Deno.errors.AddrInUse);
    assert(Deno.statSync(place.path).isSocket);
  },
);

Deno.test(
  "a socket file that another process has just removed is no error",
  unix,
  async () => {
    await using place = await socketPath();
    await leaveSocket(place.path);
    using _ = atSecondLook((look) => {
      Deno.removeSync(place.path);
      return look();
    });
    using listener = listen({ path: place.path });
    assertEquals(listener.addr.path, place.path);
  },
);

Deno.test("a file that is no socket is refused, and kept", unix, async () => {
  await using place = await socketPath();
  await Deno.writeTextFile(place.path, "precious");
  assertThrows(() => listen({ path: place.path }), Deno.errors.AddrInUse);
  assertEquals(await Deno.readTextFile(place.path), "precious");
});
