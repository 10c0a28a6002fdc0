import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  type ByteStream,
  ConnectionLostError,
  createPipeStream,
  createSocketStream,
  createSslStream,
  createUnixStream,
  listen,
  type StreamListener,
} from "@sluice/sluice";
import { toText } from "@std/streams/to-text";
import { certificateFiles } from "../_certificates.ts";
import { bytes, socketPath } from "./_support.ts";

const HOST = "127.0.0.1";

/** Connects, and sends a byte each way. */
async function meet(
  listener: StreamListener,
  connecting: Promise<ByteStream>,
): Promise<ByteStream> {
  await using server = await listener.accept();
  const client = await connecting;
  assertEquals(server.info.alpnProtocol, client.info.alpnProtocol);
  await client.write(bytes("a"));
  assertEquals(await server.read(1), bytes("a"));
  await server.write(bytes("b"));
  assertEquals(await client.read(1), bytes("b"));
  return client;
}

Deno.test("createSocketStream connects over TCP", async () => {
  using listener = listen({ port: 0 });
  const { port } = listener.addr;
  const options = { ipv6: false, keepAlive: true, timeout: 5000 };
  await using stream = await meet(
    listener,
    createSocketStream(HOST, port, options),
  );
  assertEquals(stream.info.transport, "tcp");
  assertEquals(stream.info.remote, { hostname: HOST, port });
});

Deno.test("createSslStream connects over TLS, and verifies whom it meets", async () => {
  await using files = await certificateFiles();
  using listener = listen({
    port: 0,
    certFile: files.server.cert,
    keyFile: files.server.key,
    alpnProtocols: ["sluice/1"],
  });
  const { port } = listener.addr;
  await using stream = await meet(
    listener,
    createSslStream(HOST, port, {
      caCerts: [files.ca],
      alpnProtocols: ["sluice/1"],
    }),
  );
  assertEquals(stream.info.transport, "tls");
  assertEquals(stream.info.alpnProtocol, "sluice/1");

  const abortion = new AbortController();
  const accepting = listener.accept({ signal: abortion.signal }).catch(
    () => {},
  );
  await assertRejects(() => createSslStream(HOST, port), ConnectionLostError);
  abortion.abort();
  await accepting;
});

Deno.test({
  name: "createUnixStream connects to a Unix socket",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using place = await socketPath();
    using listener = listen({ path: place.path });
    await using stream = await meet(listener, createUnixStream(place.path));
    assertEquals(stream.info.transport, "unix");
    assertEquals(stream.info.remote, { path: place.path });
  },
});

Deno.test("createPipeStream starts a command in a folder and an environment", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await using stream = await createPipeStream([
      Deno.execPath(),
      "eval",
      "console.log(Deno.cwd(), Deno.env.get('SLUICE_TEST'))",
    ], { cwd: folder, env: { SLUICE_TEST: "yes" } });
    assertEquals(await toText(stream.readable), `${folder} yes\n`);
    assertEquals((await stream.status)?.code, 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("every factory rejects with the reason of a signal that has aborted", async () => {
  const reason = new Error("too late");
  const signal = AbortSignal.abort(reason);
  const attempts = [
    createSocketStream(HOST, 1, { signal }),
    createSslStream(HOST, 1, { signal }),
    createUnixStream("/does/not/exist", { signal }),
    createPipeStream(["does-not-exist"], { signal }),
  ];
  const failures = attempts.map((attempt) => attempt.catch((error) => error));
  for (const failure of await Promise.all(failures)) {
    assertStrictEquals(failure, reason);
  }
});

Deno.test("every factory refuses options that it cannot honour, before it connects", async () => {
  using listener = listen({ port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const signal = undefined; // Which is as good as none.
  // A variable may have more than its type tells.
  const tls = { signal, tls: true };
  const lax = { signal, rejectUnauthorized: false };
  const later = { signal, attempts: 2 };
  const awake = { signal, keepAlive: true };
  const prompt = { signal, noDelay: true };
  const refused: [string, () => Promise<ByteStream>][] = [
    ["tls: it has", () => createSocketStream(HOST, port, tls)],
    ["rejectUnauthorized: it has", () => createSslStream(HOST, port, lax)],
    ["attempts: it has", () => createUnixStream("/does/not/exist", later)],
    [
      "keepAlive: the platform",
      () => createUnixStream("/does/not/exist", awake),
    ],
    [
      "noDelay: the platform",
      () => createUnixStream("/does/not/exist", prompt),
    ],
    ["attempts: it has", () => createPipeStream(["does-not-exist"], later)],
  ];
  for (const [what, create] of refused) {
    await assertRejects(create, TypeError, `with ${what}`);
  }
});
