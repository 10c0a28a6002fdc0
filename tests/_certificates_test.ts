import { assertEquals, assertRejects } from "@std/assert";
import {
  certificateFiles,
  certificates,
  type Identity,
} from "./_certificates.ts";

/** One TLS handshake over loopback: what the client sees. */
async function handshake(
  server: Identity,
  hostname: string,
  caCerts: string[],
): Promise<void> {
  using listener = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    ...server,
  });
  const accepted = (async () => {
    using conn = await listener.accept();
    await conn.handshake();
  })();
  // A refused certificate fails the server's side too.
  accepted.catch(() => {});
  const { port } = listener.addr as Deno.NetAddr;
  try {
    using conn = await Deno.connectTls({ hostname, port, caCerts });
    await conn.handshake();
  } finally {
    await accepted.catch(() => {});
  }
}

Deno.test("The test server is trusted by name and by address", async () => {
  const { ca, server } = await certificates();
  await handshake(server, "localhost", [ca]);
  await handshake(server, "127.0.0.1", [ca]);
});

Deno.test("The other test certificates are refused, each for its own reason", async () => {
  const { ca, wrongHost, expired, stranger } = await certificates();
  const refused = (identity: Identity, reason: string): Promise<Error> =>
    assertRejects(
      () => handshake(identity, "127.0.0.1", [ca]),
      Error,
      reason,
    );
  await refused(wrongHost, "not valid for name");
  await refused(expired, "expired");
  await refused(stranger, "UnknownIssuer");
});

Deno.test("Certificate files are removed on disposal", async () => {
  let path: string;
  {
    await using files = await certificateFiles();
    path = files.server.key;
    assertEquals(
      await Deno.readTextFile(path),
      (await certificates()).server.key,
    );
  }
  await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
});
