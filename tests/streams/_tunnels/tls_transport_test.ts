import { assertEquals, assertLess, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { ConnectionLostError } from "@sluice/sluice/errors";
import { ConnTransport } from "../../../streams/_conn_transport.ts";
import { TlsTransport } from "../../../streams/_tunnels/tls_transport.ts";
import { certificates } from "../../_certificates.ts";
import {
  echoConn,
  HOST,
  serveConns,
  writeAll,
} from "../../factories/_tunnel_peers.ts";

/** A target that speaks TLS, sends `size` bytes, and ends. */
async function serveTls(size: number) {
  const { server } = await certificates();
  return serveConns(async (conn) => {
    const data = new Uint8Array(Math.min(size, 65_536));
    for (let left = size; left > 0; left -= data.byteLength) {
      await writeAll(conn, data.subarray(0, left));
    }
    await conn.closeWrite();
    await conn.read(new Uint8Array(1)); // To close with bytes unread would reset it.
  }, server);
}

/** TLS over a socket that ends after `cut` bytes; `taken()` is what came so far. */
async function openTls(port: number, cut = Infinity) {
  const { ca } = await certificates();
  const conn = new ConnTransport(await Deno.connect({ hostname: HOST, port }));
  let taken = 0;
  const transport = await TlsTransport.open(
    {
      read: async () => {
        const chunk = taken < cut ? await conn.read() : null;
        taken += chunk?.byteLength ?? 0;
        return chunk;
      },
      write: (data) => conn.write(data),
      closeWrite: () => conn.closeWrite(),
      close: () => conn.close(),
      abort: () => conn.abort(),
    },
    { hostname: HOST, caCerts: [ca] },
    new AbortController().signal,
  );
  return {
    taken: () => taken,
    write: (data: Uint8Array) => transport.write(data),
    /** Reads to the end, or at least `count` bytes, and tells how many it were. */
    async read(count = Infinity): Promise<number> {
      let length = 0;
      while (length < count) {
        const chunk = await transport.read();
        if (chunk === null) break;
        length += chunk.byteLength;
      }
      return length;
    },
    [Symbol.asyncDispose]: () => transport.close(),
  };
}

Deno.test("TLS inside a tunnel takes nothing from it while enough is unread", async () => {
  await using server = await serveTls(Infinity);
  await using tls = await openTls(server.port);
  for (let pause = 0; pause < 3; pause++) {
    const before = tls.taken();
    await delay(200);
    assertLess(tls.taken() - before, 1_000_000);
    await tls.read(4_000_000);
  }
});

for (const size of [0, 10, 65_536, 1_000_000]) {
  Deno.test(`TLS inside a tunnel ends cleanly after ${size} bytes that are read late`, async () => {
    await using server = await serveTls(size);
    await using tls = await openTls(server.port);
    await delay(200); // All has come, as far as it is taken.
    assertEquals(await tls.read(), size);
  });
}

Deno.test("TLS inside a tunnel takes an empty write, as every stream does", async () => {
  const { server: identity } = await certificates();
  await using server = serveConns(echoConn, identity);
  await using tls = await openTls(server.port);
  for (const length of [0, 3, 0, 0, 2]) {
    await tls.write(new Uint8Array(length));
  }
  assertEquals(await tls.read(5), 5);
});

Deno.test("A tunnel that ends without the end of TLS inside it is a ConnectionLostError", async () => {
  await using server = await serveTls(1_000_000);
  await using tls = await openTls(server.port, 500_000);
  await assertRejects(
    () => tls.read(),
    ConnectionLostError,
    "without the close_notify of TLS",
  );
});
