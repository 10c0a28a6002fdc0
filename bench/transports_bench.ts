/**
 * One channel over each transport, both ends in this process, against a bare
 * `Deno.Conn` that carries the same bytes. Without permission for them, the
 * network's benches are left out.
 *
 * @module
 */
import { Channel, listen, PipeStream, SocketStream } from "@sluice/sluice";
import type { ByteStream } from "@sluice/sluice";
import { benchTransfer, type Workload, WORKLOADS } from "./_workload.ts";

/** Two streams that are connected to each other. */
type Connected = [near: ByteStream, far: ByteStream];

const NEEDED = ["net", "read", "write", "env"] as const;
const missing = NEEDED.filter((name) =>
  Deno.permissions.querySync({ name }).state !== "granted"
);
if (missing.length > 0) {
  const flags = missing.map((name) => `--allow-${name}`).join(" ");
  console.log(
    `transports_bench.ts: only in memory; TCP, TLS and Unix sockets need ${flags} (deno task bench)`,
  );
}
const hasNetwork = missing.length === 0;
const folder = hasNetwork ? await certificateFolder() : "";

for (const workload of WORKLOADS) {
  if (hasNetwork) benchConn(workload);
  benchChannel(
    "Channel over PipeStream.createPair",
    workload,
    () => Promise.resolve(PipeStream.createPair()),
  );
  if (!hasNetwork) continue;
  benchChannel("Channel over TCP", workload, connectTcp);
  benchChannel("Channel over TLS", workload, connectTls);
  if (Deno.build.os !== "windows") {
    benchChannel("Channel over a Unix socket", workload, connectUnix);
  }
}
if (hasNetwork) {
  globalThis.addEventListener("unload", () => {
    Deno.removeSync(folder, { recursive: true });
  });
}

/** The baseline: the bytes alone, with one write for each message. */
function benchConn({ group, count, message }: Workload): void {
  Deno.bench({
    name: "bare Deno.Conn over TCP",
    group,
    baseline: true,
    async fn(bench) {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      const accepted = listener.accept();
      using near = await Deno.connect({ hostname: "127.0.0.1", port });
      using far = await accepted;
      near.setNoDelay(true);
      bench.start();
      const sent = (async () => {
        for (let i = 0; i < count; i++) {
          for (let at = 0; at < message.byteLength;) {
            at += await near.write(message.subarray(at));
          }
        }
      })();
      const buffer = new Uint8Array(65_536);
      for (let left = count * message.byteLength; left > 0;) {
        left -= await far.read(buffer) ?? left;
      }
      await sent;
      bench.end();
    },
  });
}

function benchChannel(
  name: string,
  workload: Workload,
  connect: () => Promise<Connected>,
): void {
  Deno.bench({
    name,
    group: workload.group,
    async fn(bench) {
      const [near, far] = await connect();
      await benchTransfer(
        bench,
        new Channel(near),
        new Channel(far),
        workload,
      );
    },
  });
}

async function connectTcp(): Promise<Connected> {
  await using listener = listen({ port: 0 });
  return await Promise.all([
    SocketStream.connect("127.0.0.1", listener.addr.port),
    listener.accept(),
  ]);
}

async function connectTls(): Promise<Connected> {
  await using listener = listen({
    port: 0,
    certFile: `${folder}/cert.pem`,
    keyFile: `${folder}/key.pem`,
  });
  return await Promise.all([
    SocketStream.connectTls("localhost", listener.addr.port, {
      caCerts: [`${folder}/ca.pem`],
    }),
    listener.accept(),
  ]);
}

async function connectUnix(): Promise<Connected> {
  const path = `${folder}/socket`;
  await using listener = listen({ path });
  return await Promise.all([
    SocketStream.connectUnix(path),
    listener.accept(),
  ]);
}

/** A folder of mode 700 with throw-away certificates. */
async function certificateFolder(): Promise<string> {
  const { certificates } = await import("../tests/_certificates.ts");
  const { ca, server } = await certificates();
  const folder = await Deno.makeTempDir({ prefix: "sluice_bench_" });
  await Deno.writeTextFile(`${folder}/ca.pem`, ca);
  await Deno.writeTextFile(`${folder}/cert.pem`, server.cert);
  await Deno.writeTextFile(`${folder}/key.pem`, server.key);
  return folder;
}
