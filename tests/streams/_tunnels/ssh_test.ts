import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { deadline } from "@std/async/deadline";
import { dirname } from "@std/path/dirname";
import { join } from "@std/path/join";
import { ConnectionLostError, createTunneledStream } from "@sluice/sluice";
import { certificates } from "../../_certificates.ts";
import { peerTest, ssh, sshd } from "../../_peers.ts";
import {
  assertEchoes,
  freePort,
  HOST,
  processesWith,
  serveConns,
  serveEcho,
  serveTlsEcho,
  startSshd,
  writeAll,
} from "../../factories/_tunnel_peers.ts";

/** What ssh was told to do, as one word of its command line. */
const sshProcesses = (port: number) => processesWith(`${HOST}:${port}`);

peerTest(
  [ssh, sshd],
  "A stream through ssh has one process, which is gone once it is closed",
  async () => {
    await using tunnel = await startSshd();
    await using server = serveEcho();
    const { port } = server;
    const { via } = tunnel;
    const stream = await createTunneledStream(HOST, port, { via });
    assertEquals((await sshProcesses(port)).length, 1);
    await stream.close();
    assertEquals(await sshProcesses(port), []);

    const aborted = await createTunneledStream(HOST, port, { via });
    aborted.abort(new Error("enough"));
    await aborted.finished;
    assertEquals(await sshProcesses(port), []);
  },
);

peerTest(
  [ssh, sshd],
  "A stream whose ssh is killed fails with ConnectionLostError, with TLS too, both ways",
  async () => {
    const { ca } = await certificates();
    await using tunnel = await startSshd();
    const over = Promise.withResolvers<void>();
    const wait = async (conn: Deno.Conn) => {
      if ("handshake" in conn) await (conn as Deno.TlsConn).handshake();
      await over.promise;
    };
    await using plain = serveConns(wait);
    await using secure = serveConns(wait, (await certificates()).server);
    using _ = { [Symbol.dispose]: () => over.resolve() };
    const { via } = tunnel;
    for (const server of [plain, secure]) {
      await using stream = await createTunneledStream(HOST, server.port, {
        via,
        ...(server === secure && { tls: { caCerts: [ca] } }),
      });
      const reading = stream.read(1);
      // Nobody reads, and so a write of more than all buffers hold waits.
      const writing = stream.write(new Uint8Array(64_000_000));
      writing.catch(() => {});
      for (const pid of await sshProcesses(server.port)) {
        Deno.kill(pid, "SIGKILL");
      }
      await assertRejects(() => reading, ConnectionLostError, "SIGKILL");
      await assertRejects(() => writing, ConnectionLostError, "SIGKILL");
      assertInstanceOf(await stream.finished, ConnectionLostError);
    }
  },
);

peerTest(
  [ssh, sshd],
  "ssh that is not let in says so: another key, an unknown host, no server",
  async () => {
    await using tunnel = await startSshd();
    await using server = serveEcho();
    const { ssh } = tunnel.via;
    const folder = dirname(ssh.identityFile);
    const attempt = (change: Partial<typeof ssh>) =>
      createTunneledStream(HOST, server.port, {
        via: { ssh: { ...ssh, ...change } },
      });
    for (
      const [change, reason] of [
        [
          { identityFile: join(folder, "stranger") },
          "Permission denied (publickey)",
        ],
        [
          {
            options: {
              ...ssh.options,
              UserKnownHostsFile: join(folder, "nothing"),
              GlobalKnownHostsFile: join(folder, "nothing"),
            },
          },
          "Host key verification failed",
        ],
        [{ port: freePort() }, "Connection refused"],
        [{ configFile: join(folder, "nothing") }, "Can't open user config"],
        [{ options: { NoSuchOption: "1" } }, "Bad configuration option"],
      ] as const
    ) {
      const error = await assertRejects(
        () => attempt(change),
        ConnectionLostError,
        `Cannot connect to ${HOST}:${server.port} through ssh to ${HOST}: `,
      );
      assertStringIncludes(error.message, reason);
    }
    assertEquals(await sshProcesses(server.port), []);
  },
);

peerTest(
  [ssh, sshd],
  "ssh takes user, port and key from a configuration file of its own",
  async () => {
    await using tunnel = await startSshd();
    await using server = serveEcho();
    const { ssh } = tunnel.via;
    const folder = dirname(ssh.identityFile);
    const configFile = join(folder, "config");
    await Deno.writeTextFile(
      configFile,
      [
        "Host bastion",
        `  HostName ${HOST}`,
        `  Port ${ssh.port}`,
        `  IdentityFile ${ssh.identityFile}`,
        `  UserKnownHostsFile ${ssh.options.UserKnownHostsFile}`,
        "  LogLevel QUIET",
        "",
      ].join("\n"),
    );
    await using stream = await createTunneledStream(HOST, server.port, {
      via: { ssh: { host: "bastion", configFile } },
    });
    await assertEchoes(stream, 10);
  },
);

peerTest(
  [ssh, sshd],
  "A tunnel uses a shared connection of ssh, and leaves it as it was",
  async () => {
    await using tunnel = await startSshd();
    await using server = serveEcho();
    const { ssh } = tunnel.via;
    const folder = dirname(ssh.identityFile);
    const ControlPath = join(folder, "control");
    const options = { ...ssh.options, ControlPath, ControlMaster: "auto" };
    const command = [
      ...["-F", "none", "-p", `${ssh.port}`, "-i", ssh.identityFile],
      ...Object.entries(options).flatMap(([name, value]) => [
        "-o",
        `${name}=${value}`,
      ]),
    ];
    const run = (...args: string[]) =>
      new Deno.Command("ssh", { args: [...command, ...args, HOST] }).output();
    // -f: goes to the background once it is connected.
    await new Deno.Command("ssh", {
      args: [...command, "-N", "-f", HOST],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    try {
      {
        await using stream = await createTunneledStream(HOST, server.port, {
          via: {
            // Without a key: the shared connection needs none.
            ssh: { ...ssh, identityFile: undefined, options },
          },
        });
        await assertEchoes(stream, 10);
      }
      assert((await run("-O", "check")).success);
    } finally {
      await run("-O", "exit");
    }
  },
);

peerTest(
  [ssh, sshd],
  "A tunnel leaves no shared connection of ssh behind",
  async () => {
    await using tunnel = await startSshd();
    await using server = serveEcho();
    const { ssh } = tunnel.via;
    const folder = dirname(ssh.identityFile);
    const ControlPath = join(folder, "control");
    const configFile = join(folder, "config");
    await Deno.writeTextFile(
      configFile,
      `ControlMaster auto\nControlPersist yes\nControlPath ${ControlPath}\n`,
    );
    await using stream = await createTunneledStream(HOST, server.port, {
      via: { ssh: { ...ssh, configFile } },
    });
    await assertRejects(() => Deno.lstat(ControlPath), Deno.errors.NotFound);
    await stream.close();
  },
);

peerTest(
  [ssh, sshd],
  "TLS through ssh that ends without close_notify is a ConnectionLostError",
  async () => {
    const { ca } = await certificates();
    await using tunnel = await startSshd();
    await using tls = await serveTlsEcho();
    const cut = Promise.withResolvers<void>();
    // Hands on what both say, until it hangs up in the middle.
    await using relay = serveConns(async (near) => {
      using far = await Deno.connect({ hostname: HOST, port: tls.port });
      const back = far.readable.pipeTo(near.writable).catch(() => {});
      near.readable.pipeTo(far.writable).catch(() => {});
      await cut.promise;
      near.close();
      await back;
    });
    await using stream = await createTunneledStream(HOST, relay.port, {
      via: tunnel.via,
      tls: { caCerts: [ca] },
    });
    await assertEchoes(stream, 1000);
    cut.resolve();
    await assertRejects(
      () => deadline(stream.read(1), 5000),
      ConnectionLostError,
      "close_notify",
    );
  },
);

peerTest(
  [ssh, sshd],
  "TLS through ssh negotiates a protocol, and does not wait for a peer that has none",
  async () => {
    const { ca } = await certificates();
    await using tunnel = await startSshd();
    await using plain = serveConns((conn) =>
      writeAll(conn, new TextEncoder().encode("220 plain text service\r\n"))
    );
    await assertRejects(
      () =>
        createTunneledStream(HOST, plain.port, {
          via: tunnel.via,
          tls: { caCerts: [ca], alpnProtocols: ["sluice"] },
        }),
      ConnectionLostError,
    );
    assertEquals(await sshProcesses(plain.port), []);
  },
);

peerTest(
  [ssh, sshd],
  "Options of TLS that it refuses leave nothing of the tunnel",
  async () => {
    await using tunnel = await startSshd();
    await using server = await serveTlsEcho();
    for (
      const tls of [
        { caCerts: ["-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"] },
        { hostname: 5 as unknown as string },
      ]
    ) {
      await assertRejects(() =>
        createTunneledStream(HOST, server.port, { via: tunnel.via, tls })
      );
      assertEquals(await sshProcesses(server.port), []);
    }
  },
);

Deno.test("createTunneledStream names an ssh program that is not there", async () => {
  await assertRejects(
    () =>
      createTunneledStream(HOST, 1, {
        via: { ssh: { host: "bastion", program: "no-such-ssh" } },
      }),
    ConnectionLostError,
    "Cannot spawn no-such-ssh",
  );
});
