/**
 * One end of many idle connections: `bare|channel <count> [port]`, without a
 * port it listens. Each end waits for data. Prints its port, then what its
 * resident memory has grown by, and ends with its input.
 *
 * @module
 */
import { Channel, SocketStream } from "@sluice/sluice";
import { delay } from "@std/async/delay";

const [kind, count, port] = Deno.args;
const kept: unknown[] = [];

/** Lets V8 take the memory for young objects that it takes anyway, once. */
function warmUp(): void {
  let garbage: unknown[] = [];
  for (let i = 0; i < 3e6; i++) {
    garbage.push({ i });
    if (i % 1000 === 0) garbage = [];
  }
}

async function settled(): Promise<number> {
  const { gc } = globalThis as { gc?: () => void };
  for (const ms of [1500, 300]) {
    gc?.();
    await delay(ms);
  }
  gc?.();
  return Deno.memoryUsage().rss;
}

function keep(conn: Deno.TcpConn): void {
  if (kind === "bare") {
    kept.push(conn, conn.read(new Uint8Array(64)));
  } else {
    const channel = new Channel(new SocketStream(conn));
    kept.push(channel, channel.recv());
  }
}

warmUp();
const before = await settled();
if (port === undefined) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  console.log(listener.addr.port);
  while (kept.length < 2 * Number(count)) keep(await listener.accept());
} else {
  while (kept.length < 2 * Number(count)) {
    keep(await Deno.connect({ hostname: "127.0.0.1", port: Number(port) }));
  }
}
console.log(await settled() - before);
await Deno.stdin.read(new Uint8Array(1));
Deno.exit();
