/**
 * Real proxies and an ssh server as child processes on loopback, that never
 * outlive their test, and what they lead to.
 *
 * @module
 */

import { assert } from "@std/assert";
import { retry } from "@std/async/retry";
import { equals } from "@std/bytes/equals";
import { join } from "@std/path/join";
import type { SocketStream, TunnelVia } from "@sluice/sluice";
import { certificates } from "../_certificates.ts";
import {
  commandOf,
  danted,
  microsocks,
  type Peer,
  prepareSshd,
  sshd,
  tinyproxy,
} from "../_peers.ts";

export const HOST = "127.0.0.1";
export const USERNAME = "mallory";
export const PASSWORD = "s3cret:with colon";

/** A process with a way through it. */
export interface Tunnel extends AsyncDisposable {
  /** The way. */
  readonly via: TunnelVia;
  /** Ends the process, and those it has started, with SIGKILL, and waits for its end. */
  kill(): Promise<void>;
}

/** Something that listens on loopback. */
export interface Listening extends AsyncDisposable {
  readonly port: number;
}

/** tinyproxy, with Basic authentication. */
export function startTinyproxy(): Promise<Tunnel> {
  return start(tinyproxy, async (folder, port) => {
    const file = join(folder, "tinyproxy.conf");
    await Deno.writeTextFile(
      file,
      [
        `Port ${port}`,
        `Listen ${HOST}`,
        "Timeout 60",
        "MaxClients 20",
        `BasicAuth ${USERNAME} ${HTTP_PASSWORD}`,
        "",
      ].join("\n"),
    );
    return {
      args: ["-d", "-c", file],
      via: {
        httpConnect: {
          host: HOST,
          port,
          username: USERNAME,
          password: HTTP_PASSWORD,
        },
      },
    };
  });
}

/** tinyproxy's configuration knows no quotes. */
export const HTTP_PASSWORD = "s3cret";

/** microsocks, with a user name and password. */
export function startMicrosocks(): Promise<Tunnel> {
  return start(microsocks, (_folder, port) => ({
    args: ["-i", HOST, "-p", `${port}`, "-u", USERNAME, "-P", PASSWORD],
    via: {
      socks5: { host: HOST, port, username: USERNAME, password: PASSWORD },
    },
  }));
}

/** danted, open to all, that allows no connection to `blocked`. */
export function startDanted(blocked = 9): Promise<Tunnel> {
  return start(danted, async (folder, port) => {
    const file = join(folder, "danted.conf");
    await Deno.writeTextFile(
      file,
      [
        "logoutput: stderr",
        `internal: ${HOST} port = ${port}`,
        `external: ${HOST}`,
        "clientmethod: none",
        "socksmethod: none",
        "client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }",
        `socks block { from: 0.0.0.0/0 to: 0.0.0.0/0 port = ${blocked} }`,
        "socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }",
        "",
      ].join("\n"),
    );
    return {
      args: ["-f", file, "-p", join(folder, "pid")],
      via: { socks5: { host: HOST, port } },
    };
  });
}

/** sshd with keys and a configuration of its own; the way leaves ours alone. */
export async function startSshd(): Promise<
  Tunnel & { via: { ssh: SshOptions } }
> {
  await prepareSshd();
  return await start(sshd, async (folder, port) => {
    const path = (name: string) => join(folder, name);
    await Promise.all(
      ["host", "user", "stranger"].map((name) =>
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path(name))
      ),
    );
    const [type, key] = (await Deno.readTextFile(path("host.pub"))).split(" ");
    await Deno.writeTextFile(
      path("known_hosts"),
      `[${HOST}]:${port} ${type} ${key}\n`,
    );
    await Deno.writeTextFile(
      path("sshd_config"),
      [
        `Port ${port}`,
        `ListenAddress ${HOST}`,
        `HostKey ${path("host")}`,
        `AuthorizedKeysFile ${path("user.pub")}`,
        "UsePAM no",
        "StrictModes no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
        "PidFile none",
        "",
      ].join("\n"),
    );
    const options = {
      UserKnownHostsFile: path("known_hosts"),
      IdentityAgent: "none",
    };
    const ssh: SshOptions = {
      host: HOST,
      port,
      configFile: "none",
      identityFile: path("user"),
      options,
    };
    // -D: in the foreground; -e: errors to standard error.
    return { args: ["-D", "-e", "-f", path("sshd_config")], via: { ssh } };
  });
}

/** A way through ssh. In the folder of its key is that of a `stranger`, who is not let in. */
export interface SshOptions {
  host: string;
  port: number;
  configFile: string;
  identityFile: string;
  options: Record<string, string>;
}

/** A TCP port that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  return listener.addr.port;
}

/** A server that has each connection served, and closes it. */
export function serveConns(
  serve: (conn: Deno.Conn) => Promise<void>,
  identity?: { cert: string; key: string },
): Listening {
  const options = { hostname: HOST, port: 0 };
  const listener = identity
    ? Deno.listenTls({ ...options, ...identity })
    : Deno.listen(options);
  const conns = new Set<Deno.Conn>();
  const serving: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const conn of listener) {
      conns.add(conn);
      serving.push(
        serve(conn).catch(() => {}).finally(() => conn[Symbol.dispose]()),
      );
    }
  })();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const conn of conns) conn[Symbol.dispose]();
      await Promise.all(serving);
    },
  };
}

/** Sends back what it receives, and ends when the peer has ended. */
export async function echoConn(conn: Deno.Conn): Promise<void> {
  if ("handshake" in conn) await (conn as Deno.TlsConn).handshake();
  const buffer = new Uint8Array(65_536);
  let count: number | null;
  while ((count = await conn.read(buffer)) !== null) {
    await writeAll(conn, buffer.subarray(0, count));
  }
  await conn.closeWrite();
}

/** An echo server. */
export function serveEcho(): Listening {
  return serveConns(echoConn);
}

/** An echo server that speaks TLS. */
export async function serveTlsEcho(
  identity: "server" | "wrongHost" | "stranger" = "server",
): Promise<Listening> {
  return serveConns(echoConn, (await certificates())[identity]);
}

/** Writes all of it. */
export async function writeAll(
  conn: Deno.Conn,
  data: Uint8Array,
): Promise<void> {
  for (let written = 0; written < data.byteLength;) {
    written += await conn.write(data.subarray(written));
  }
}

/** Reads exactly `count` bytes. */
export async function readExactly(
  conn: Deno.Conn,
  count: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  for (let filled = 0; filled < count;) {
    const read = await conn.read(bytes.subarray(filled));
    if (read === null) throw new Error(`ended after ${filled} of ${count}`);
    filled += read;
  }
  return bytes;
}

/** Bytes that differ from one place to the next. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31) ^ (index >> 9));
}

/**
 * Sends a pattern and checks what comes back, both at once, as nothing else is
 * sure not to fill the buffers.
 */
export async function assertEchoes(
  stream: SocketStream,
  length: number,
): Promise<void> {
  const data = pattern(length);
  const [back] = await Promise.all([stream.read(length), stream.write(data)]);
  assert(back !== null && equals(back, data));
}

/** The ids of running processes that have `text` on their command line. */
export async function processesWith(text: string): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const line = await Deno.readTextFile(`/proc/${name}/cmdline`)
      .catch(() => "");
    if (line.split("\0").includes(text)) found.push(Number(name));
  }
  return found;
}

/** The processes that `pid` has started, and those that they have, until they are reaped. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    // The name, in parentheses, may hold anything.
    const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
    if (Number(parent) !== pid) continue;
    found.push(Number(name), ...await descendantsOf(Number(name)));
  }
  return found;
}

async function start<Via extends TunnelVia>(
  peer: Peer,
  configure: (
    folder: string,
    port: number,
  ) => Promise<Setup<Via>> | Setup<Via>,
): Promise<Tunnel & { via: Via }> {
  await using resources = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "sluice_tunnel_" });
  resources.defer(() => Deno.remove(folder, { recursive: true }));
  const port = freePort();
  const { args, via } = await configure(folder, port);
  const child = new Deno.Command(commandOf(peer), {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  let running = true;
  const ended = child.status.then(() => running = false);
  const end = async (signal: Deno.Signal) => {
    if (running) child.kill(signal);
    await ended;
    await errors;
  };
  // SIGTERM: sshd and danted end their children then.
  resources.defer(() => end("SIGTERM"));
  await retry(async () => {
    if (!running) return;
    (await Deno.connect({ hostname: HOST, port })).close();
  }, { minTimeout: 10, maxTimeout: 200, maxAttempts: 60 });
  if (!running) {
    throw new Error(`Cannot start ${peer.package}: ${await errors}`);
  }
  const all = resources.move();
  return {
    via,
    kill: async () => {
      for (const pid of await descendantsOf(child.pid)) {
        Deno.kill(pid, "SIGKILL");
      }
      await end("SIGKILL");
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

interface Setup<Via> {
  readonly args: string[];
  readonly via: Via;
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args })
    .output();
  if (!success) {
    throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
  }
}
