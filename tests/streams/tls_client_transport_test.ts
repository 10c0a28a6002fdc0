import { SocketStream } from "@sluice/sluice/streams";
import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { TlsClientTransport } from "../../streams/_tls_client_transport.ts";
import { certificates } from "../_certificates.ts";
import { HOST, serveConns, writeAll } from "../factories/_tunnel_peers.ts";
import { failing, ScriptedStream, ScriptedTransport } from "./_scripted.ts";
import { bytes, turns } from "./_support.ts";

/** A stream of a TLS client, and what it rests on. */
function scripted(): { stream: ScriptedStream; inner: ScriptedTransport } {
  const inner = new ScriptedTransport();
  const stream = new ScriptedStream(new TlsClientTransport(inner));
  return { stream, inner };
}

for (const word of [bytes(3), null]) {
  const what = word ? "first word" : "end";

  Deno.test(`A TLS client that is closed ends, and waits for its peer's ${what}`, async () => {
    const { stream, inner } = scripted();
    const closing = stream.close();
    await turns();
    assertEquals(inner.calls, ["closeWrite", "read"]);
    inner.push(word);
    await closing;
    assertEquals(inner.calls, ["closeWrite", "read", "close"]);
  });

  Deno.test(`A TLS client that is closed waits for its peer's ${what} with the read under way`, async () => {
    const { stream, inner } = scripted();
    const reading = stream.read(1).catch(() => "closed");
    await turns();
    const closing = stream.close();
    await turns();
    assertEquals(inner.calls, ["read", "closeWrite"]);
    inner.push(word);
    await closing;
    assertEquals(inner.calls, ["read", "closeWrite", "close"]);
    assertEquals(await reading, "closed");
  });
}

Deno.test("A TLS client that has read something is closed at once", async () => {
  const { stream, inner } = scripted();
  inner.push(bytes(3));
  await stream.read(3);
  const reading = stream.read(1).catch(() => {}); // For which nothing comes.
  await turns();
  await stream.close();
  await reading;
  assertEquals(inner.calls, ["read", "read", "close"]);
});

Deno.test("A TLS client does not wait for a silent peer for ever, nor for one that is gone", async () => {
  const silent = scripted();
  silent.inner.gates.closeWrite = new Promise(() => {});
  await silent.stream.close();
  assertEquals(silent.inner.calls, ["closeWrite", "read", "close"]);

  const gone = scripted();
  gone.inner.gates.closeWrite = failing(new Error("gone"));
  gone.inner.gates.read = failing(new Error("gone"));
  await gone.stream.close();
  assertEquals(gone.inner.calls, ["closeWrite", "read", "close"]);
});

Deno.test("A TLS client is aborted at once", async () => {
  const { stream, inner } = scripted();
  stream.abort();
  await stream.finished;
  assertEquals(inner.calls, ["abort"]);
});

/**
 * Leads to a TLS server, but holds its client's second word and what follows
 * until `release()`, and then what follows until the server has answered.
 */
function leadLate(port: number): AsyncDisposable & {
  readonly port: number;
  readonly release: () => void;
} {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const leading = serveConns(async (client) => {
    using server = await Deno.connect({ hostname: HOST, port });
    const answered = Promise.withResolvers<void>();
    let late = false;
    const answers = pass(server, client, () => {
      if (late) answered.resolve();
    });
    answers.catch(() => {});
    await pass(client, server, async (count) => {
      if (count === 1) await released;
      late = true;
      if (count === 2) await answered.promise;
    });
    await answers;
  });
  return Object.assign(leading, { release });
}

/** Passes on what comes and then its end; `passed` is told how many chunks it were by then. */
async function pass(
  from: Deno.Conn,
  to: Deno.Conn,
  passed: (count: number) => Promise<void> | void,
): Promise<void> {
  const buffer = new Uint8Array(65_536);
  let length: number | null;
  for (let count = 1; (length = await from.read(buffer)) !== null; count++) {
    await writeAll(to, buffer.subarray(0, length));
    await passed(count);
  }
  await to.closeWrite();
}

Deno.test("A TLS client that is closed at once loses nothing although session tickets come late", async () => {
  const { ca, server: identity } = await certificates();
  const received = Promise.withResolvers<number>();
  await using server = serveConns(async (conn) => {
    const buffer = new Uint8Array(65_536);
    let sum = 0;
    try {
      for (let count; (count = await conn.read(buffer)) !== null;) sum += count;
    } finally {
      received.resolve(sum);
    }
  }, identity);
  await using late = leadLate(server.port);
  const client = await SocketStream.connectTls(HOST, late.port, {
    caCerts: [ca],
  });
  await client.write(new Uint8Array(1_000_000));
  const closing = client.close();
  await delay(200); // For 100 ms the platform itself keeps what was closed.
  late.release();
  assertEquals(await received.promise, 1_000_000);
  await closing;
  assertEquals(await client.finished, undefined);
});
