/** Participant: `Deno.TlsConn`, read and written by hand, without Nagle where it can be off. */
import { bytePeer } from "./_deno_bytes.ts";
import { play } from "./_role.ts";

const folder = Deno.args[1];

await play({
  async listen(onListen) {
    using listener = Deno.listenTls({
      hostname: "127.0.0.1",
      port: 0,
      cert: await Deno.readTextFile(`${folder}/cert.pem`),
      key: await Deno.readTextFile(`${folder}/key.pem`),
    });
    onListen(listener.addr.port);
    const conn = await listener.accept();
    await conn.handshake();
    return bytePeer(conn);
  },
  async connect(port) {
    const plain = await Deno.connect({ hostname: "127.0.0.1", port });
    plain.setNoDelay(true); // has to be set before TLS starts
    const conn = await Deno.startTls(plain, {
      hostname: "localhost",
      caCerts: [await Deno.readTextFile(`${folder}/ca.pem`)],
    });
    await conn.handshake();
    return bytePeer(conn);
  },
});
