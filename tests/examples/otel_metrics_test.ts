import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path/from-file-url";

/** The parts of an OTLP request that the test looks at. */
interface MetricsRequest {
  resourceMetrics: { scopeMetrics: ScopeMetrics[] }[];
}

interface ScopeMetrics {
  scope: { name: string };
  metrics: {
    name: string;
    unit: string;
    sum?: { dataPoints: DataPoint[] };
    histogram?: { dataPoints: DataPoint[] };
  }[];
}

interface DataPoint {
  attributes: { key: string; value: { stringValue: string } }[];
  asDouble?: number;
  asInt?: string;
  count?: string;
}

Deno.test("otel_metrics.ts exports what connections do through Deno's own exporter", async () => {
  // Later requests carry the totals of earlier ones.
  const values = new Map<string, number>();
  const collect = ({ resourceMetrics }: MetricsRequest) => {
    const metrics = resourceMetrics.flatMap((resource) => resource.scopeMetrics)
      .filter(({ scope }) => scope.name === "sluice")
      .flatMap((scope) => scope.metrics);
    for (const { name, unit, sum, histogram } of metrics) {
      for (const point of (sum ?? histogram)!.dataPoints) {
        const attributes = point.attributes.map(({ key, value }) =>
          `${key}=${value.stringValue}`
        ).sort().join(" ");
        const value = point.count ?? point.asInt ?? point.asDouble;
        values.set(`${name} ${unit} ${attributes}`, Number(value));
      }
    }
  };
  await using collector = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const body = await request.json();
      if (new URL(request.url).pathname === "/v1/metrics") collect(body);
      return Response.json({});
    },
  );
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-net",
      fromFileUrl(new URL("../../examples/otel_metrics.ts", import.meta.url)),
    ],
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  assert(success, new TextDecoder().decode(stderr));

  const bytesOf = (side: string, direction: string) => {
    const name =
      `sluice.io By direction=${direction} side=${side} transport=tcp`;
    const value = values.get(name);
    values.delete(name);
    return value;
  };
  // "message 0" to "message 9", each with the 6 bytes of its frame.
  for (const side of ["client", "server"]) {
    assertEquals(bytesOf(side, "sent"), 150);
    assertEquals(bytesOf(side, "received"), 150);
  }
  assertEquals(Object.fromEntries([...values].sort()), {
    "sluice.connection.duration s side=client transport=tcp": 1,
    "sluice.connection.duration s side=server transport=tcp": 1,
    "sluice.connections {connection} side=client transport=tcp": 0,
    "sluice.connections {connection} side=server transport=tcp": 0,
    "sluice.errors {error} error.type=ConnectionLostError phase=connect": 1,
    "sluice.messages {message} direction=received side=client transport=tcp":
      10,
    "sluice.messages {message} direction=received side=server transport=tcp":
      10,
    "sluice.messages {message} direction=sent side=client transport=tcp": 10,
    "sluice.messages {message} direction=sent side=server transport=tcp": 10,
  });
});
