/**
 * Watches the traffic below a channel: each read, each write, and a summary at
 * the end.
 *
 * ```sh
 * deno run --allow-net examples/monitored.ts
 * ```
 *
 * Outside this repository, import from `jsr:@sluice/sluice`.
 *
 * @module
 */
import {
  CompressedChannel,
  createSocketStream,
  MonitoredStream,
  serve,
} from "@sluice/sluice";

await using server = serve({ port: 0 }, async (channel) => {
  for await (const message of channel) await channel.send(message);
});

const monitored: MonitoredStream = new MonitoredStream(
  await createSocketStream("127.0.0.1", server.addr.port),
  {
    onRead: (size) =>
      console.log(`READ: ${size} bytes (total: ${monitored.bytesReceived})`),
    onWrite: (size) =>
      console.log(`WRITE: ${size} bytes (total: ${monitored.bytesSent})`),
    onClose: ({ bytesSent, bytesReceived, duration }) =>
      console.log(
        `Closed after ${(duration / 1000).toFixed(2)} s: ` +
          `${bytesSent} bytes sent, ${bytesReceived} received`,
      ),
  },
);

await using channel = new CompressedChannel(monitored);
await channel.send(new TextEncoder().encode("Hello"));
await channel.recv();
await channel.send(new Uint8Array(100_000)); // Zeros: very little of it is written.
await channel.recv();
