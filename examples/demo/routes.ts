/**
 * The ways from the demo to a receiver.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { fromFileUrl } from "@std/path/from-file-url";
import {
  type ByteStream,
  Channel,
  createPipeStream,
  createSocketStream,
  createSslStream,
  createUnixStream,
  listen,
} from "@sluice/sluice";
import { certificateFiles } from "../../tests/_certificates.ts";
import { rpyc } from "../../tests/_peers.ts";
import { type Addresses, fromJson, KEY_VARIABLE } from "./receiver.ts";

/** A transport to another process. */
export interface Route {
  /** What the table calls it. */
  readonly name: string;
  /** Whether the peer understands encrypted channels. */
  readonly encrypts: boolean;
  /** Connects to a receiver, which expects an encrypted channel or a plain one. */
  open(encrypted: boolean): Promise<ByteStream>;
}

/**
 * Starts the receivers.
 *
 * @param key The key that both sides share.
 * @param cleanup Ends them and removes what they needed.
 * @param signal Ends everything at once.
 */
export async function openRoutes(
  key: Uint8Array,
  cleanup: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Route[]> {
  const startReceiver = (...args: string[]) =>
    createPipeStream([
      Deno.execPath(),
      "run",
      "--allow-all",
      "--quiet",
      fromFileUrl(new URL("receiver.ts", import.meta.url)),
      ...args,
    ], { env: { [KEY_VARIABLE]: encodeHex(key) }, signal });

  const { ca, server } = cleanup.use(await certificateFiles());
  const stream = await startReceiver("serve", server.cert, server.key);
  const control = cleanup.use(new Channel(stream));
  const { tcp, tls, unix } = fromJson<Addresses>(await control.recv());
  const side = (encrypted: boolean) => encrypted ? "encrypted" : "plain";

  const routes: Route[] = [{
    name: "TCP",
    encrypts: true,
    open: (encrypted) =>
      createSocketStream("127.0.0.1", Number(tcp[side(encrypted)]), { signal }),
  }, {
    name: "TLS",
    encrypts: true,
    open: (encrypted) =>
      createSslStream("localhost", Number(tls[side(encrypted)]), {
        caCerts: [ca],
        signal,
      }),
  }, {
    name: "subprocess pipes",
    encrypts: true,
    open: (encrypted) => startReceiver("pipe", ...(encrypted ? ["key"] : [])),
  }];
  if (unix) {
    routes.splice(2, 0, {
      name: "Unix socket",
      encrypts: true,
      open: (encrypted) =>
        createUnixStream(String(unix[side(encrypted)]), { signal }),
    });
  }
  const python = rpyc.find();
  if (python) routes.push(pythonRoute(python, cleanup, signal));
  return routes;
}

/** RPyC connects to us, as often as we accept. */
function pythonRoute(
  python: string,
  cleanup: AsyncDisposableStack,
  signal: AbortSignal,
): Route {
  const listener = listen({ port: 0 });
  const script = fromFileUrl(new URL("rpyc_receiver.py", import.meta.url));
  const child = new Deno.Command(python, {
    args: [script, String(listener.addr.port)],
    stdin: "null",
    stdout: "null",
  }).spawn();
  cleanup.defer(async () => {
    listener.close();
    await child.status;
  });
  return {
    name: "TCP to RPyC",
    encrypts: false,
    open: () => listener.accept({ signal }),
  };
}
