/**
 * The ways in which Sluice and a Python peer meet: each transport is one row.
 *
 * @module
 */

import { join } from "@std/path/join";
import {
  createPipeStream,
  createSocketStream,
  createSslStream,
  createTunneledStream,
  createUnixStream,
  listen,
  type SocketStream,
  type StreamListener,
} from "@sluice/sluice";
import type { ByteStream } from "@sluice/sluice/streams";
import { certificateFiles } from "../_certificates.ts";
import { type Peer, rpyc, ssh, sshd } from "../_peers.ts";
import {
  pythonCommand,
  type PythonPeer,
  type Script,
  startPython,
} from "./_python.ts";
import { testSsh } from "./_ssh.ts";

const HOST = "127.0.0.1";

/** A stream with a Python peer at its other end; disposal ends both. */
export interface Meeting extends AsyncDisposable {
  /** Our end. */
  readonly stream: ByteStream;
  /** Waits until the peer has ended by itself; fails unless it ended well. */
  finish(): Promise<void>;
}

/** One way to meet. */
export interface Transport {
  /** What a test's name calls it. */
  readonly name: string;
  /** What must be installed. */
  readonly needs: readonly Peer[];
  /** Python listens, or is the child: Sluice is the client. */
  connect(script: Script, args: string[]): Promise<Meeting>;
  /** Python connects: Sluice is the server. The child's side of pipes is a program of its own. */
  accept?(script: Script, args: string[]): Promise<Meeting>;
}

/** TCP, TLS, a Unix socket, and the pipes of a child. */
export const TRANSPORTS: readonly [Transport, ...Transport[]] = [
  {
    name: "TCP",
    needs: [rpyc],
    connect: (script, args) =>
      meeting(async (resources) => {
        const peer = await startPython(script, [...args, "--listen", "tcp"]);
        resources.use(peer);
        return [await createSocketStream(HOST, peer.port), peer];
      }),
    accept: (script, args) =>
      meeting((resources) =>
        accepted(
          resources,
          listen({ hostname: HOST, port: 0 }),
          script,
          (port) => [...args, "--connect", "tcp", "--port", `${port}`],
        )
      ),
  },
  {
    name: "TLS",
    needs: [rpyc],
    connect: (script, args) =>
      meeting(async (resources) => {
        const { ca, server } = resources.use(await certificateFiles());
        const peer = await startPython(script, [
          ...args,
          ...["--listen", "tls", "--cert", server.cert, "--key", server.key],
        ]);
        resources.use(peer);
        const stream = await createSslStream(HOST, peer.port, {
          caCerts: [ca],
        });
        return [stream, peer];
      }),
    accept: (script, args) =>
      meeting(async (resources) => {
        const { ca, server } = resources.use(await certificateFiles());
        const { cert: certFile, key: keyFile } = server;
        return await accepted(
          resources,
          listen({ hostname: HOST, port: 0, certFile, keyFile }),
          script,
          (port) => [
            ...args,
            ...["--connect", "tls", "--port", `${port}`, "--ca", ca],
          ],
        );
      }),
  },
  {
    name: "a Unix socket",
    needs: [rpyc],
    connect: (script, args) =>
      meeting(async (resources) => {
        const path = await socketPath(resources);
        const peer = await startPython(
          script,
          [...args, "--listen", "unix", "--path", path],
        );
        resources.use(peer);
        return [await createUnixStream(path), peer];
      }),
    accept: (script, args) =>
      meeting(async (resources) => {
        const path = await socketPath(resources);
        return await accepted(
          resources,
          listen({ path }),
          script,
          () => [...args, "--connect", "unix", "--path", path],
        );
      }),
  },
  {
    name: "a child's pipes",
    needs: [rpyc],
    connect: (script, args) =>
      meeting(async () => {
        const stream = await createPipeStream(
          pythonCommand(script, [...args, "--stdio"]),
          { stderr: "piped" },
        );
        const finish = async () => {
          const { code, signal } = await stream.status!;
          if (code !== 0) {
            const how = signal ?? `code ${code}`;
            throw new Error(`${script} ended with ${how}: ${stream.stderr}`);
          }
        };
        return [stream, { finish }];
      }),
  },
];

/** TCP through a real SSH server. */
export const SSH_TUNNEL: Transport = {
  name: "an ssh tunnel",
  needs: [rpyc, ssh, sshd],
  connect: (script, args) =>
    meeting(async (resources) => {
      const { tunnel } = resources.use(await testSsh());
      const peer = await startPython(script, [...args, "--listen", "tcp"]);
      resources.use(peer);
      const via = { ssh: tunnel };
      return [await createTunneledStream(HOST, peer.port, { via }), peer];
    }),
};

async function meeting(
  meet: (
    resources: AsyncDisposableStack,
  ) => Promise<[ByteStream, Pick<PythonPeer, "finish">]>,
): Promise<Meeting> {
  await using resources = new AsyncDisposableStack();
  const [stream, { finish }] = await meet(resources);
  resources.use(stream);
  const all = resources.move();
  return {
    stream,
    finish,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Lets Python connect to a listener, which takes nobody else. */
async function accepted(
  resources: AsyncDisposableStack,
  listener: StreamListener,
  script: Script,
  args: (port: number) => string[],
): Promise<[SocketStream, PythonPeer]> {
  await using _ = listener;
  const port = "port" in listener.addr ? listener.addr.port : 0;
  const peer = resources.use(await startPython(script, args(port)));
  const gone = new AbortController();
  peer.ended.then(() => gone.abort(new Error(`${script} did not connect`)));
  return [await listener.accept({ signal: gone.signal }), peer];
}

/** In a folder of its own: a Unix socket is open to all who reach it. */
async function socketPath(resources: AsyncDisposableStack): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_" });
  resources.defer(() => Deno.remove(folder, { recursive: true }));
  return join(folder, "socket");
}
