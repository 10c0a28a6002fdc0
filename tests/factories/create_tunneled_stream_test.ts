import {
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { fromFileUrl } from "@std/path/from-file-url";
import {
  ConnectionLostError,
  createTunneledStream,
  SocketStream,
  StreamTimeoutError,
  TunneledSocketStream,
  type TunnelVia,
} from "@sluice/sluice";
import { certificateFiles, certificates } from "../_certificates.ts";
import {
  danted,
  microsocks,
  type Peer,
  peerTest,
  ssh,
  sshd,
  tinyproxy,
} from "../_peers.ts";
import {
  assertEchoes,
  descendantsOf,
  freePort,
  HOST,
  pattern,
  processesWith,
  readExactly,
  serveConns,
  serveEcho,
  serveTlsEcho,
  startDanted,
  startMicrosocks,
  startSshd,
  startTinyproxy,
  type Tunnel,
  USERNAME,
  writeAll,
} from "./_tunnel_peers.ts";

import { Log } from "./_support.ts";

interface Way {
  readonly name: string;
  readonly peers: Peer[];
  readonly start: () => Promise<Tunnel>;
  /** Whether the proxy passes the end of one direction on, and keeps the other. */
  readonly halfClose: boolean;
  /** What it says of a target that refuses. */
  readonly refused: string;
  readonly transport: string;
}

const WAYS: readonly Way[] = [
  {
    name: "ssh",
    peers: [ssh, sshd],
    start: startSshd,
    halfClose: true,
    refused: "open failed: connect failed: Connection refused",
    transport: "ssh",
  },
  {
    name: "tinyproxy",
    peers: [tinyproxy],
    start: startTinyproxy,
    halfClose: false,
    refused: "as the proxy answered 500 Unable to connect",
    transport: "http-connect",
  },
  {
    name: "microsocks",
    peers: [microsocks],
    start: startMicrosocks,
    halfClose: false,
    refused: "as the proxy answered 5, connection refused",
    transport: "socks5",
  },
  {
    name: "danted",
    peers: [danted],
    start: () => startDanted(),
    halfClose: true,
    refused: "as the proxy answered 5, connection refused",
    transport: "socks5",
  },
];

for (const { name, peers, start, halfClose, refused, transport } of WAYS) {
  peerTest(
    peers,
    `createTunneledStream carries 2 MB both ways through ${name}`,
    async () => {
      await using tunnel = await start();
      await using server = serveEcho();
      const { via } = tunnel;
      await using stream = await createTunneledStream(
        "localhost",
        server.port,
        {
          via,
        },
      );
      assertInstanceOf(stream, TunneledSocketStream);
      assertInstanceOf(stream, SocketStream);
      assertEquals(stream.info, {
        transport,
        remote: { hostname: "localhost", port: server.port },
      });
      await assertEchoes(stream, 2_000_000);
      await stream.close();
      assertEquals(await stream.finished, undefined);
    },
  );

  peerTest(
    peers,
    `createTunneledStream speaks TLS with the target through ${name}`,
    async () => {
      const { ca } = await certificates();
      await using tunnel = await start();
      await using server = await serveTlsEcho();
      const { via } = tunnel;
      const { port } = server;
      const tls = { caCerts: [ca] };
      {
        await using stream = await createTunneledStream("localhost", port, {
          via,
          tls,
        });
        assertEquals(stream.info.transport, `${transport}+tls`);
        await assertEchoes(stream, 2_000_000);
        if (halfClose) {
          await stream.closeWrite();
          assertEquals(await stream.read(1), null);
        }
      }
      { // An address in place of a name.
        await using stream = await createTunneledStream(HOST, port, {
          via,
          tls,
        });
        await assertEchoes(stream, 10);
      }
      await assertRejects(
        () => createTunneledStream(HOST, port, { via, tls: true }),
        ConnectionLostError,
        `Cannot connect to ${HOST}:${port} through `,
      );
      const wrong = { ...tls, hostname: "elsewhere.invalid" };
      await assertRejects(
        () => createTunneledStream(HOST, port, { via, tls: wrong }),
        ConnectionLostError,
      );
    },
  );

  peerTest(
    peers,
    `What was written over TLS through ${name} arrives although it is closed at once`,
    async () => {
      const { ca, server: identity } = await certificates();
      await using tunnel = await start();
      const received = new Log<number | null>();
      await using server = serveConns(async (conn) => {
        const reading = readExactly(conn, 3_000_000);
        received.add(await reading.then((data) => data.length, () => null));
      }, identity);
      for (const ends of [false, true]) {
        const stream = await createTunneledStream(HOST, server.port, {
          via: tunnel.via,
          tls: { caCerts: [ca] },
        });
        await stream.write(new Uint8Array(3_000_000));
        if (ends) await stream.closeWrite();
        await stream.close();
        assertEquals(await stream.finished, undefined);
      }
      assertEquals(await received.atLeast(2), [3_000_000, 3_000_000]);
    },
  );

  peerTest(
    peers,
    `createTunneledStream says what ${name} says of a target that refuses`,
    async () => {
      await using tunnel = await start();
      const port = freePort();
      const error = await assertRejects(
        () => createTunneledStream(HOST, port, { via: tunnel.via }),
        ConnectionLostError,
        `Cannot connect to ${HOST}:${port} through `,
      );
      assertStringIncludes(error.message, refused);
    },
  );

  peerTest(
    peers,
    `The end of a target is the end of a stream through ${name}`,
    async () => {
      await using tunnel = await start();
      await using server = serveConns((conn) => writeAll(conn, pattern(1000)));
      await using stream = await createTunneledStream(HOST, server.port, {
        via: tunnel.via,
      });
      assertEquals(await stream.read(1000), pattern(1000));
      assertEquals(await stream.read(1), null);
    },
  );

  peerTest(
    peers,
    `Closing a stream through ${name} ends the connection to the target`,
    async () => {
      await using tunnel = await start();
      const ended = Promise.withResolvers<number | null>();
      await using server = serveConns(async (conn) => {
        await readExactly(conn, 3);
        ended.resolve(await conn.read(new Uint8Array(1)));
      });
      const stream = await createTunneledStream(HOST, server.port, {
        via: tunnel.via,
      });
      await stream.write(new Uint8Array(3));
      await stream.close();
      assertEquals(await ended.promise, null);
    },
  );

  if (!halfClose) continue;
  peerTest(
    peers,
    `A stream through ${name} reads on after it has ended its own direction`,
    async () => {
      await using tunnel = await start();
      await using server = serveConns(async (conn) => {
        const buffer = new Uint8Array(65_536);
        let sum = 0;
        let count: number | null;
        while ((count = await conn.read(buffer)) !== null) sum += count;
        await writeAll(conn, new TextEncoder().encode(`${sum}`));
      });
      await using stream = await createTunneledStream(HOST, server.port, {
        via: tunnel.via,
      });
      await stream.write(new Uint8Array(300_000));
      await stream.closeWrite();
      assertEquals(
        await stream.read(6),
        new TextEncoder().encode("300000"),
      );
      assertEquals(await stream.read(1), null);
    },
  );
}

for (const { name, peers, start } of WAYS) {
  peerTest(
    peers,
    `A transfer is lost when ${name} dies in the middle`,
    async () => {
      await using tunnel = await start();
      const sent = Promise.withResolvers<void>();
      // More than all buffers on the way hold, so that some of it has arrived.
      const size = 16_000_000;
      await using server = serveConns(async (conn) => {
        await writeAll(conn, new Uint8Array(size));
        sent.resolve();
        await conn.read(new Uint8Array(1));
      });
      await using stream = await createTunneledStream(HOST, server.port, {
        via: tunnel.via,
      });
      const reading = stream.read(size + 1);
      reading.catch(() => {});
      await sent.promise;
      await tunnel.kill();
      const error = await assertRejects(() => reading, ConnectionLostError);
      if (name === "ssh") {
        // ssh has two ways to say it, by what it was about to do.
        assertMatch(
          error.message,
          /exited with code 255: .*(closed by remote host|Broken pipe|reset)/,
        );
      }
    },
  );
}

// TLS

peerTest(
  microsocks,
  "TLS in a tunnel trusts caCerts beside the platform's authorities, and needs no permission",
  async () => {
    const { ca, stranger } = await certificates();
    await using files = await certificateFiles();
    await using tunnel = await startMicrosocks();
    await using server = await serveTlsEcho();
    const connect = async (
      port: number,
      caCerts: string[],
      flags: string[] = [],
    ) => {
      const program = `
        import { createTunneledStream } from "@sluice/sluice";
        const [via, port, caCerts] = JSON.parse(Deno.args[0]);
        await using stream = await createTunneledStream("localhost", port, {
          via, tls: { caCerts },
        });
        await stream.write(new Uint8Array(3));
        console.log(await stream.read(3));`;
      const proxy = "socks5" in tunnel.via ? tunnel.via.socks5.port : 0;
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          ...[
            "run",
            "--no-check",
            "--no-prompt",
            `--allow-net=${HOST}:${proxy}`,
          ],
          ...["--config", fromFileUrl(import.meta.resolve("../../deno.json"))],
          ...flags,
          "-",
          JSON.stringify([tunnel.via, port, caCerts]),
        ],
        stdin: "piped",
        stderr: "piped",
        stdout: "piped",
        env: { NO_COLOR: "1" },
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(program));
      await writer.close();
      const { success, stderr } = await child.output();
      return success || new TextDecoder().decode(stderr);
    };
    const platform = ["--cert", files.ca];
    const [own, both, platforms, none] = await Promise.all([
      connect(server.port, [ca]),
      connect(server.port, [ca, stranger.cert]),
      connect(server.port, [stranger.cert], platform),
      connect(server.port, [stranger.cert]),
    ]);
    assertEquals([own, both, platforms], [true, true, true]);
    assertStringIncludes(String(none), "ConnectionLostError");
  },
);

// Proxies that refuse

async function proxyRefuses(
  start: () => Promise<Tunnel>,
  change: (via: TunnelVia) => TunnelVia,
  reason: string,
): Promise<void> {
  await using tunnel = await start();
  await using server = serveEcho();
  await assertRejects(
    () => createTunneledStream(HOST, server.port, { via: change(tunnel.via) }),
    ConnectionLostError,
    reason,
  );
}

for (const password of ["wrong", undefined]) {
  const how = password ? "a wrong password" : "no password";
  const change = (proxy: { host: string; port: number }) => ({
    host: proxy.host,
    port: proxy.port,
    ...(password && { username: USERNAME, password }),
  });
  peerTest(
    tinyproxy,
    `tinyproxy refuses ${how} with its status`,
    () =>
      proxyRefuses(
        startTinyproxy,
        (via) =>
          "httpConnect" in via ? { httpConnect: change(via.httpConnect) } : via,
        password
          ? "as the proxy answered 401 Unauthorized"
          : "as the proxy answered 407 Proxy Authentication Required",
      ),
  );
  peerTest(microsocks, `microsocks refuses ${how}`, () =>
    proxyRefuses(
      startMicrosocks,
      (via) => "socks5" in via ? { socks5: change(via.socks5) } : via,
      password
        ? "as the proxy refused the user name or password"
        : "as the proxy wants authentication",
    ));
}

peerTest(danted, "danted refuses a port by its rules", async () => {
  await using server = serveEcho();
  await using tunnel = await startDanted(server.port);
  await assertRejects(
    () => createTunneledStream(HOST, server.port, { via: tunnel.via }),
    ConnectionLostError,
    "as the proxy answered 2, connection not allowed by ruleset",
  );
});

// Proxies that we may not reach

for (
  const via of [
    { httpConnect: { host: HOST, port: 1 } },
    { socks5: { host: HOST, port: 1 } },
    { ssh: { host: HOST } },
  ] satisfies TunnelVia[]
) {
  Deno.test({
    name: `A missing permission for ${
      Object.keys(via)
    } is no ConnectionLostError`,
    permissions: "none",
    fn: async () => {
      await assertRejects(
        () => createTunneledStream("target.invalid", 7, { via }),
        Deno.errors.NotCapable,
      );
    },
  });
}

// Options that cannot be honoured

const PROXY = { host: HOST, port: 1 };

for (
  const [via, options, reason] of [
    [{ socks5: PROXY }, { attempts: 5 }, "it has no such option"],
    [{ httpConnect: PROXY }, { ipv6: true }, "the far end resolves"],
    [{ ssh: { host: HOST } }, { attempts: 5 }, "it has no such option"],
    [{ ssh: { host: HOST } }, { keepAlive: true }, "the socket is that of ssh"],
  ] satisfies [TunnelVia, Record<string, unknown>, string][]
) {
  const names = `${Object.keys(via)} with ${Object.keys(options)}`;
  Deno.test(`createTunneledStream refuses ${names}`, async () => {
    await assertRejects(
      () => createTunneledStream("target.invalid", 7, { via, ...options }),
      TypeError,
      `with ${Object.keys(options)}: ${reason}`,
    );
  });
}

Deno.test("createTunneledStream refuses what is no option of the tunnel itself", async () => {
  const tunnels = [
    { httpConnect: { ...PROXY, tls: true } },
    { socks5: { ...PROXY, tls: true } },
    { ssh: { host: HOST, tls: true } },
  ];
  for (const via of tunnels) {
    await assertRejects(
      () => createTunneledStream("target.invalid", 7, { via }),
      TypeError,
      "with tls: it has no such option",
    );
  }
});

Deno.test("TunneledSocketStream has no way past the tunnel", async () => {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  const { connectTls, connectUnix }: Pick<
    typeof SocketStream,
    "connectTls" | "connectUnix"
  > = TunneledSocketStream;
  for (
    const attempt of [
      () => connectTls(HOST, listener.addr.port),
      () => connectUnix("/tmp/sluice-is-not-there"),
    ]
  ) {
    await assertRejects(attempt, TypeError, "tunnel");
  }
});

// Proxies that hang

/** A server that reads, never answers, and tells when its client has gone. */
function serveSilence() {
  const gone = Promise.withResolvers<void>();
  const server = serveConns(async (conn) => {
    while (await conn.read(new Uint8Array(4096)) !== null);
    gone.resolve();
  });
  return { server, gone: gone.promise };
}

const SILENT: readonly [
  name: string,
  via: (port: number) => TunnelVia,
  peers: Peer[],
][] = [
  ["an HTTP proxy", (port) => ({ httpConnect: { host: HOST, port } }), []],
  ["a SOCKS5 proxy", (port) => ({ socks5: { host: HOST, port } }), []],
  [
    "an SSH server",
    (port) => ({ ssh: { host: HOST, port, configFile: "none" } }),
    [ssh],
  ],
];

for (const [name, viaOf, peers] of SILENT) {
  peerTest(
    peers,
    `createTunneledStream gives ${name} that hangs up after timeout, and leaves nothing`,
    async () => {
      const { server, gone } = serveSilence();
      await using _ = server;
      const error = await assertRejects(
        () =>
          createTunneledStream("target.invalid", 7, {
            via: viaOf(server.port),
            timeout: 200,
          }),
        StreamTimeoutError,
        "Cannot connect to target.invalid:7 through ",
      );
      assertEquals(error.timeout, 200);
      assertEquals(await descendantsOf(Deno.pid), []);
      await gone;
    },
  );

  peerTest(
    peers,
    `createTunneledStream gives ${name} that hangs up with the reason of signal`,
    async () => {
      const connected = Promise.withResolvers<void>();
      const gone = Promise.withResolvers<void>();
      await using server = serveConns(async (conn) => {
        connected.resolve();
        while (await conn.read(new Uint8Array(4096)) !== null);
        gone.resolve();
      });
      const controller = new AbortController();
      const reason = new Error("changed my mind");
      const connecting = createTunneledStream("target.invalid", 8, {
        via: viaOf(server.port),
        signal: controller.signal,
        timeout: 0,
      });
      await connected.promise;
      controller.abort(reason);
      assertStrictEquals(await assertRejects(() => connecting), reason);
      assertEquals(await descendantsOf(Deno.pid), []);
      await gone.promise;
    },
  );
}

for (const { name, peers, start } of WAYS.slice(0, 3)) {
  peerTest(
    peers,
    `The deadline holds for a TLS handshake through ${name} that hangs`,
    async () => {
      await using tunnel = await start();
      const { server, gone } = serveSilence();
      await using _ = server;
      await assertRejects(
        () =>
          createTunneledStream(HOST, server.port, {
            via: tunnel.via,
            tls: true,
            timeout: 1000,
          }),
        StreamTimeoutError,
      );
      await gone;
      assertEquals(await processesWith(`${HOST}:${server.port}`), []);
    },
  );
}
