/**
 * A server that sends every message back. Ctrl-C ends it, after what is under
 * way.
 *
 * ```sh
 * deno run --allow-net examples/echo_server.ts 7007
 * ```
 *
 * Outside this repository, import from `jsr:@sluice/sluice`.
 *
 * @module
 */
import { serve } from "@sluice/sluice";

const server = serve({
  port: Number(Deno.args[0] ?? 7007),
  onListen: ({ hostname, port }) =>
    console.log(`Listening on ${hostname}:${port}`),
}, async (channel, { signal }) => {
  for (;;) {
    const message = await channel.recv({ signal }); // The signal is shutdown()'s.
    if (message === null) return;
    await channel.send(message);
  }
});

Deno.addSignalListener("SIGINT", () => server.shutdown());
await server.finished;
