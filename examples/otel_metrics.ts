/**
 * OpenTelemetry metrics of every connection that `connect`, `listen` and `serve`
 * make in a process: how many are open, how long they last, what goes through
 * them, and what fails. Deno exports them by itself:
 *
 * ```sh
 * OTEL_DENO=true OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 \
 *   deno run --allow-net examples/otel_metrics.ts
 * ```
 *
 * @module
 */

import { subscribe } from "node:diagnostics_channel";
import { metrics } from "npm:@opentelemetry/api@1.9.0";
import {
  type AcceptMessage,
  type CloseMessage,
  connect,
  type ConnectMessage,
  type ErrorMessage,
  serve,
} from "@sluice/sluice";

/** Counts from now on. It is called once, at the start of a program. */
export function recordMetrics(): void {
  const meter = metrics.getMeter("sluice");
  const connections = meter.createUpDownCounter("sluice.connections", {
    description: "Connections that are open",
    unit: "{connection}",
  });
  const durations = meter.createHistogram("sluice.connection.duration", {
    description: "How long connections were open",
    unit: "s",
  });
  const messages = meter.createCounter("sluice.messages", {
    description: "Messages of channels that are closed",
    unit: "{message}",
  });
  const bytes = meter.createCounter("sluice.io", {
    description: "Bytes of channels that are closed, with all framing",
    unit: "By",
  });
  const errors = meter.createCounter("sluice.errors", {
    description: "Failures, by class and by what was going on",
    unit: "{error}",
  });

  subscribe("sluice:connect", (message) => {
    const { info } = message as ConnectMessage;
    connections.add(1, { side: "client", transport: info.transport });
  });
  subscribe("sluice:accept", (message) => {
    const { info } = message as AcceptMessage;
    connections.add(1, { side: "server", transport: info.transport });
  });
  subscribe("sluice:close", (message) => {
    const { side, info, duration, stats } = message as CloseMessage;
    const attributes = { side, transport: info.transport };
    connections.add(-1, attributes);
    durations.record(duration / 1000, attributes);
    if (!stats) return; // A stream of listen, without a channel.
    const [sent, received] = ["sent", "received"].map((direction) => (
      { ...attributes, direction }
    ));
    messages.add(stats.messagesSent, sent);
    messages.add(stats.messagesReceived, received);
    bytes.add(stats.bytesSent, sent);
    bytes.add(stats.bytesReceived, received);
  });
  subscribe("sluice:error", (message) => {
    const { error, phase } = message as ErrorMessage;
    const name = error instanceof Error ? error.name : "unknown";
    errors.add(1, { phase, "error.type": name });
  });
}

if (import.meta.main) {
  recordMetrics();
  await using server = serve({ port: 0 }, async (channel) => {
    for await (const message of channel) await channel.send(message);
  });
  const { port } = server.addr;
  await using channel = await connect({ port });
  for (let i = 0; i < 10; i++) {
    await channel.send(new TextEncoder().encode(`message ${i}`));
    await channel.recv();
  }
  await channel.close();
  await server.shutdown();
  await connect({ port }).catch(() => console.log("Nobody listens any more"));
}
