/** Participant: a bare `Deno.Conn`, each message read into a buffer of its own. */
import { messagePeer } from "./_deno_bytes.ts";
import { play } from "./_role.ts";

await play({
  async listen(onListen) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    onListen(listener.addr.port);
    const conn = await listener.accept();
    conn.setNoDelay(true);
    return messagePeer(conn);
  },
  async connect(port) {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    return messagePeer(conn);
  },
});
