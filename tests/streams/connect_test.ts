import { ConnectionLostError, StreamTimeoutError } from "@sluice/sluice/errors";
import { SocketStream } from "@sluice/sluice/streams";
import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { deadline } from "@std/async/deadline";
import { join } from "@std/path/join";
import { once } from "node:events";
import { createServer as createTlsServer } from "node:tls";
import type { AddressInfo } from "node:net";
import { establish } from "../../streams/_establish.ts";
import { certificateFiles, certificates } from "../_certificates.ts";
import { bytes, rejection, turns } from "./_support.ts";

const HOST = "127.0.0.1";

/** A port that nobody listens on. */
function closedPort(): number {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  return listener.addr.port;
}

/** A connected pair: the stream that `connect` makes, and what was accepted. */
async function accepted(
  connect: (port: number) => Promise<SocketStream>,
): Promise<[SocketStream, Deno.Conn]> {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  return await Promise.all([connect(listener.addr.port), listener.accept()]);
}

// TCP

Deno.test("SocketStream.connect says where it is connected", async () => {
  const [stream, conn] = await accepted((port) =>
    SocketStream.connect(HOST, port, { keepAlive: true, noDelay: false })
  );
  const local = conn.remoteAddr as Deno.NetAddr;
  const remote = conn.localAddr as Deno.NetAddr;
  assertEquals(stream.info, {
    transport: "tcp",
    local: { hostname: HOST, port: local.port },
    remote: { hostname: HOST, port: remote.port },
  });
  conn.close();
  await stream.close();
});

Deno.test("A refused connection is a ConnectionLostError with its cause", async () => {
  const port = closedPort();
  const error = await assertRejects(
    () => SocketStream.connect(HOST, port),
    ConnectionLostError,
    `Cannot connect to ${HOST}:${port}`,
  );
  assertInstanceOf(error.cause, Deno.errors.ConnectionRefused);
});

Deno.test("A host name that nobody knows is a ConnectionLostError", async () => {
  for (const ipv6 of [undefined, false]) {
    await assertRejects(
      () => SocketStream.connect("sluice.invalid", 80, { ipv6 }),
      ConnectionLostError,
      "Cannot connect to sluice.invalid:80",
    );
  }
});

Deno.test("ipv6 chooses the family of the address", async () => {
  const [stream, conn] = await accepted((port) =>
    SocketStream.connect("localhost", port, { ipv6: false })
  );
  assertEquals(stream.info.remote?.hostname, HOST);
  conn.close();
  await stream.close();
});

Deno.test("An address of the family that ipv6 excludes is refused, without another attempt", async () => {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  const { port } = listener.addr;
  for (const connect of [SocketStream.connect, SocketStream.connectTls]) {
    await assertRejects(
      () => connect(HOST, port, { ipv6: true, attempts: 3 }),
      TypeError,
      `Cannot connect with ipv6: true as ${HOST} is an address of IPv4`,
    );
    await assertRejects(
      () => connect("::1", port, { ipv6: false, attempts: 3 }),
      TypeError,
      "Cannot connect with ipv6: false as ::1 is an address of IPv6",
    );
  }
});

Deno.test({
  name: "A missing permission to look up an address is no ConnectionLostError",
  permissions: { net: [`${HOST}:1`] },
  async fn() {
    const error = await assertRejects(
      () => SocketStream.connect("localhost", 1, { ipv6: false }),
      Deno.errors.NotCapable,
    );
    assertEquals(
      error.message,
      'Requires net access to "localhost", run again with the --allow-net flag',
    );
  },
});

Deno.test("connect refuses a port, attempts and a timeout that are none", async () => {
  const misuse: [number, Record<string, number>][] = [
    [-1, {}],
    [65_536, {}],
    [1.5, {}],
    [80, { attempts: 0 }],
    [80, { attempts: 1.5 }],
    [80, { timeout: -1 }],
    [80, { timeout: NaN }],
    [80, { timeout: 2 ** 31 }],
  ];
  for (const [port, options] of misuse) {
    for (const connect of [SocketStream.connect, SocketStream.connectTls]) {
      await assertRejects(() => connect(HOST, port, options), RangeError);
    }
  }
});

Deno.test("connect makes as many attempts as it is told, and fails as the last of them", async () => {
  for (const attempts of [1, 3]) {
    const listener = Deno.listen({ hostname: HOST, port: 0 });
    const { port } = listener.addr;
    let accepted = 0;
    const serving = (async () => {
      for (;;) {
        const conn = await listener.accept().catch(() => undefined);
        if (!conn) return;
        accepted++;
        conn.close(); // No TLS server does so.
      }
    })();
    await assertRejects(
      () => SocketStream.connectTls(HOST, port, { attempts }),
      ConnectionLostError,
      `Cannot connect to ${HOST}:${port} over TLS`,
    );
    assertEquals(accepted, attempts);
    listener.close();
    await serving;
  }
});

Deno.test("connect succeeds when the server comes up between two attempts", async () => {
  const port = closedPort();
  const connecting = SocketStream.connect(HOST, port, { attempts: 100 });
  const early = await Promise.race([
    connecting.then(() => "connected"),
    rejection(SocketStream.connect(HOST, port)),
  ]);
  assertInstanceOf(early, ConnectionLostError); // The first attempt has failed too.
  using listener = Deno.listen({ hostname: HOST, port });
  const [conn, stream] = await Promise.all([listener.accept(), connecting]);
  conn.close();
  await stream.close();
});

Deno.test("A signal ends the attempts, and the wait between them, with its own reason", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error("the user left");
  const port = closedPort();
  const connecting = SocketStream.connect(HOST, port, {
    attempts: 1000,
    signal,
  });
  let settled = false;
  connecting.catch(() => settled = true);
  await rejection(SocketStream.connect(HOST, port));
  controller.abort(reason);
  await turns();
  assert(settled, "it waits on before the next attempt");
  assertStrictEquals(await rejection(connecting), reason);
  for (
    const connect of [
      () => SocketStream.connect(HOST, port, { signal }),
      () => SocketStream.connectTls(HOST, port, { signal }),
      () => SocketStream.connectUnix("/nowhere", { signal }),
    ]
  ) {
    assertStrictEquals(await rejection(connect()), reason);
  }
});

Deno.test("A connect that is aborted in the moment it succeeds leaves no socket", async () => {
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  const ends: Promise<unknown>[] = [];
  const accepting = (async () => {
    for (;;) {
      const conn = await listener.accept();
      const ended = conn.read(new Uint8Array(1)).catch(() => null);
      ends.push(ended.finally(() => conn.close()));
    }
  })().catch(() => {}); // It ends when the listener is closed.
  const connectFor = async (ms: number) => {
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort("too late"), ms);
    const { signal } = giveUp;
    try {
      const port = listener.addr.port;
      await (await SocketStream.connect(HOST, port, { signal })).close();
    } catch (error) {
      assertEquals(error, "too late");
    } finally {
      clearTimeout(timer);
    }
  };
  // Many at once, so that the platform reports some as the timers fire.
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 40 }, (_, n) => connectFor(n % 4)));
  }
  await SocketStream.connect(HOST, listener.addr.port).then((s) => s.close());
  // A socket that is left would never end.
  while (ends.length > 0) await deadline(Promise.all(ends.splice(0)), 10_000);
  listener.close();
  await accepting;
});

Deno.test("A connection that comes up too late is closed", async () => {
  const started = Promise.withResolvers<AbortSignal>();
  const late = Promise.withResolvers<{ close(): void }>();
  const closed = Promise.withResolvers<void>();
  const connecting = establish("connect", (signal) => {
    started.resolve(signal);
    return late.promise;
  }, { timeout: 1 });
  connecting.catch(() => {});
  const signal = await started.promise;
  const error = await rejection(connecting);
  assertInstanceOf(error, StreamTimeoutError);
  assertEquals(error.timeout, 1);
  assertEquals(error.message, "Cannot connect as it took longer than 1 ms");
  assertStrictEquals(signal.reason, error);
  late.resolve({ close: () => closed.resolve() });
  await closed.promise;
});

Deno.test("An attempt that fails after its deadline is not noticed again", async () => {
  const late = Promise.withResolvers<{ close(): void }>();
  const error = await rejection(
    establish("connect", () => late.promise, { timeout: 1 }),
  );
  assertInstanceOf(error, StreamTimeoutError);
  late.reject(new Error("nobody may see this"));
});

Deno.test("A connection that is closed already when it comes up too late is not noticed", async () => {
  const late = Promise.withResolvers<{ close(): void }>();
  const error = await rejection(
    establish("connect", () => late.promise, { timeout: 1 }),
  );
  assertInstanceOf(error, StreamTimeoutError);
  late.resolve({
    close() {
      throw new Deno.errors.BadResource("nobody may see this");
    },
  });
  await turns();
});

// TLS

/** A TLS server of the platform that closes what it accepts. */
async function tlsServer(
  options: Partial<Deno.TlsCertifiedKeyPem> & { alpnProtocols?: string[] } = {},
) {
  const { server } = await certificates();
  const listener = Deno.listenTls({
    hostname: HOST,
    port: 0,
    ...server,
    ...options,
  });
  const serving = (async () => {
    for (;;) {
      const conn = await listener.accept().catch(() => undefined);
      if (!conn) return;
      await conn.handshake().catch(() => {}); // A client may refuse us.
      conn.close();
    }
  })();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
    },
  };
}

Deno.test("connectTls trusts an authority as PEM text or as a file, by name and by address", async () => {
  const { ca } = await certificates();
  await using files = await certificateFiles();
  await using server = await tlsServer();
  for (const host of ["localhost", HOST]) {
    for (const caCerts of [[ca], [files.ca]]) {
      await using stream = await SocketStream.connectTls(host, server.port, {
        caCerts,
        ipv6: false,
        keepAlive: true,
        noDelay: true,
      });
      assertEquals(stream.info.transport, "tls");
      assertEquals(stream.info.remote, { hostname: HOST, port: server.port });
    }
  }
});

Deno.test("connectTls refuses an unknown authority, another host's and an expired certificate", async () => {
  const { ca, expired, stranger, wrongHost } = await certificates();
  const refused = [
    { identity: expired, reason: "expired" },
    { identity: stranger, reason: "UnknownIssuer" },
    { identity: wrongHost, reason: "not valid for name" },
  ];
  for (const { identity, reason } of refused) {
    await using server = await tlsServer(identity);
    const error = await assertRejects(
      () => SocketStream.connectTls(HOST, server.port, { caCerts: [ca] }),
      ConnectionLostError,
      reason,
    );
    assertStringIncludes(error.message, `Cannot connect to ${HOST}:`);
    assertInstanceOf(error.cause, Deno.errors.InvalidData);
  }
});

Deno.test("connectTls does not trust the authority of the test without being told", async () => {
  await using server = await tlsServer();
  await assertRejects(
    () => SocketStream.connectTls(HOST, server.port),
    ConnectionLostError,
    "UnknownIssuer",
  );
});

Deno.test("connectTls leaves no socket when the platform does not begin a handshake", async () => {
  for (
    const [host, caCerts] of [
      ["127.1", []], // An address to TCP, to TLS neither that nor a name.
      [HOST, ["-----BEGIN nothing"]],
    ] as [string, string[]][]
  ) {
    using listener = Deno.listen({ hostname: HOST, port: 0 });
    const [, conn] = await Promise.all([
      rejection(
        SocketStream.connectTls(host, listener.addr.port, { caCerts }),
      ),
      listener.accept(),
    ]);
    using _ = conn;
    assertEquals(await deadline(conn.read(new Uint8Array(1)), 5000), null);
  }
});

Deno.test("connectTls agrees on an application protocol, or fails", async () => {
  const { ca } = await certificates();
  await using server = await tlsServer({ alpnProtocols: ["b", "c"] });
  const connect = (alpnProtocols: string[]) =>
    SocketStream.connectTls(HOST, server.port, {
      caCerts: [ca],
      alpnProtocols,
    });
  await using stream = await connect(["a", "c"]);
  assertEquals(stream.info.alpnProtocol, "c");
  await assertRejects(
    () => connect(["x"]),
    ConnectionLostError,
    "NoApplicationProtocol",
  );
});

Deno.test("A silent TLS peer runs into the deadline, and no socket is left once it speaks", async () => {
  const { ca } = await certificates();
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  const { port } = listener.addr;
  const started = performance.now();
  const connecting = SocketStream.connectTls(HOST, port, {
    caCerts: [ca],
    timeout: 100,
  });
  connecting.catch(() => {});
  using conn = await listener.accept();
  const error = await rejection(connecting);
  assertInstanceOf(error, StreamTimeoutError);
  assertEquals(error.timeout, 100);
  assertGreaterOrEqual(performance.now() - started, 99);
  await assertLetGo(conn);
});

Deno.test("A TLS handshake that is aborted leaves no socket once the peer speaks", async () => {
  const { ca } = await certificates();
  await using files = await certificateFiles();
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  const { port } = listener.addr;
  for (
    const client of [
      {},
      { certFile: files.client.cert, keyFile: files.client.key },
    ]
  ) {
    const controller = new AbortController();
    const { signal } = controller;
    const connecting = SocketStream.connectTls(HOST, port, {
      caCerts: [ca],
      signal,
      ...client,
    });
    connecting.catch(() => {});
    using conn = await listener.accept();
    await conn.read(new Uint8Array(1)); // The handshake has begun.
    const reason = new Error("the user left");
    controller.abort(reason);
    assertStrictEquals(await rejection(connecting), reason);
    await assertLetGo(conn);
  }
});

/** A server of Node that demands a certificate of our authority. */
async function demandingServer() {
  const { ca, server } = await certificates();
  const names: string[] = [];
  const listener = createTlsServer({
    ...server,
    ca: [ca],
    requestCert: true,
    rejectUnauthorized: true,
  }, (socket) => {
    names.push(String(socket.authorized));
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  listener.on("tlsClientError", () => {});
  listener.listen(0, HOST);
  await once(listener, "listening");
  return {
    names,
    port: (listener.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await once(listener, "close");
    },
  };
}

Deno.test("connectTls shows a client certificate to a server that demands one", async () => {
  const { ca } = await certificates();
  await using files = await certificateFiles();
  await using server = await demandingServer();
  const stream = await SocketStream.connectTls(HOST, server.port, {
    caCerts: [ca],
    certFile: files.client.cert,
    keyFile: files.client.key,
  });
  await stream.write(bytes(5));
  assertEquals(await stream.read(5), bytes(5));
  assertEquals(server.names, ["true"]);
  await stream.close();
});

Deno.test("A server that demands a client certificate refuses us without one", async () => {
  const { ca } = await certificates();
  await using server = await demandingServer();
  await assertRejects(async () => {
    // In TLS 1.3 the refusal comes after the client's part of the handshake.
    await using stream = await SocketStream.connectTls(HOST, server.port, {
      caCerts: [ca],
    });
    await stream.write(bytes(5));
    assert(await stream.read(5) !== null, "a clean end");
  }, ConnectionLostError);
  assertEquals(server.names, []);
});

Deno.test("connectTls refuses options that the platform cannot honour together", async () => {
  const file = { certFile: "cert.pem", keyFile: "key.pem" };
  for (const name of ["ipv6", "keepAlive", "noDelay"]) {
    await assertRejects(
      () => SocketStream.connectTls(HOST, 1, { ...file, [name]: true }),
      TypeError,
      `Cannot use a client certificate together with ${name}`,
    );
  }
  for (const option of [{ certFile: "a" }, { keyFile: "a" }]) {
    await assertRejects(
      () => SocketStream.connectTls(HOST, 1, option),
      TypeError,
      "certFile and keyFile go together",
    );
  }
});

// Unix sockets

Deno.test({
  name: "connectUnix connects to a socket, and tells what is none",
  ignore: Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "sluice_" });
    const path = join(folder, "socket");
    const error = await assertRejects(
      () => SocketStream.connectUnix(path),
      ConnectionLostError,
      `Cannot connect to ${path}`,
    );
    assertInstanceOf(error.cause, Deno.errors.NotFound);
    using listener = Deno.listen({ transport: "unix", path });
    const [conn, stream] = await Promise.all([
      listener.accept(),
      SocketStream.connectUnix(path),
    ]);
    assertEquals(stream.info.transport, "unix");
    const server = new SocketStream(conn);
    assertEquals(stream.info.remote, { path });
    assertEquals(server.info.local, { path });
    for (const unnamed of [stream.info.local, server.info.remote]) {
      assertEquals(unnamed, {}); // Not even with a path that is null.
    }
    await Promise.all([server.close(), stream.close()]);
    await assertRejects(
      () => SocketStream.connectUnix(join(folder, "x".repeat(200))),
      TypeError, // No later attempt would find it shorter.
    );
    await Deno.remove(folder, { recursive: true });
  },
});

/** The platform keeps the socket of a handshake until the peer says anything. */
async function assertLetGo(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(4096);
  try {
    await conn.write(bytes(100)); // This is no TLS.
    while (await conn.read(buffer) !== null);
  } catch (error) {
    assertInstanceOf(error, Deno.errors.ConnectionReset);
  }
}
