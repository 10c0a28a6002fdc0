/**
 * Ten tasks share a pool of three connections.
 *
 * ```sh
 * deno run --allow-net examples/pool.ts
 * ```
 *
 * Outside this repository, import from `jsr:@sluice/sluice`.
 *
 * @module
 */
import { ChannelPool, connect, serve } from "@sluice/sluice";

let connections = 0;
await using server = serve({ port: 0 }, async (channel) => {
  connections++;
  for await (const message of channel) await channel.send(message);
});

await using pool = new ChannelPool({
  connect: (signal) => connect({ port: server.addr.port, signal }),
  size: 3,
});

async function call(text: string): Promise<string> {
  await using lease = await pool.acquire();
  await lease.channel.send(new TextEncoder().encode(text));
  const answer = await lease.channel.recv();
  if (answer === null) throw new Error("The server has ended");
  return new TextDecoder().decode(answer);
}

async function task(id: number): Promise<void> {
  for (let i = 0; i < 10; i++) {
    console.log(await call(`Task ${id}, call ${i}`));
  }
}

await Promise.all(Array.from({ length: 10 }, (_, id) => task(id)));
console.log(`100 calls over ${connections} connections`);
