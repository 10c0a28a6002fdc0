/**
 * TLS where both sides show certificates. The client's side is
 * `createSslStream`. `Deno.listenTls` does not ask for certificates, so that the
 * server is `node:tls`: a channel takes its socket as well, as it takes any pair
 * of web streams. Without `allowHalfOpen` the socket would end when the client ends
 * its direction, before what is still to be answered. And `node:tls` of Deno 2.9
 * does not tell the end of a connection on which a write had to wait: the heartbeat,
 * which both sides need, does.
 *
 * ```sh
 * deno run -A examples/client_certificates.ts FOLDER
 * ```
 *
 * The folder holds PEM files: `ca.pem` (the authority), `server.pem` and
 * `server_key.pem` (for localhost), `client.pem` and `client_key.pem`. Outside
 * this repository, import from `jsr:@sluice/sluice`.
 *
 * @module
 */
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { Duplex } from "node:stream";
import { createServer, type TLSSocket } from "node:tls";
import { join } from "@std/path/join";
import {
  type ByteStreamPair,
  Channel,
  createSslStream,
  StreamError,
} from "@sluice/sluice";

const folder = Deno.args[0]!;
const file = (name: string) => join(folder, name);

const heartbeat = { interval: 10_000, timeout: 30_000 };

const server = createServer({
  ca: await Deno.readTextFile(file("ca.pem")),
  cert: await Deno.readTextFile(file("server.pem")),
  key: await Deno.readTextFile(file("server_key.pem")),
  requestCert: true,
  rejectUnauthorized: true,
  allowHalfOpen: true,
}, (socket: TLSSocket) => {
  greet(socket).catch((error) => console.error(error.message));
});

async function greet(socket: TLSSocket): Promise<void> {
  const name = socket.getPeerCertificate().subject.CN;
  const pair = Duplex.toWeb(socket) as ByteStreamPair;
  await using channel = new Channel(pair, { heartbeat });
  for await (const message of channel) {
    const text = new TextDecoder().decode(message);
    await channel.send(new TextEncoder().encode(`${text}, ${name}`));
  }
}

server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;

const certificate = {
  certFile: file("client.pem"),
  keyFile: file("client_key.pem"),
};
for (const options of [certificate, {}]) {
  try {
    const stream = await createSslStream("localhost", port, {
      caCerts: [file("ca.pem")],
      ...options,
    });
    await using channel = new Channel(stream, { heartbeat });
    await channel.send(new TextEncoder().encode("Hello"));
    const answer = await channel.recv();
    console.log(answer ? new TextDecoder().decode(answer) : "No answer");
  } catch (error) {
    if (!(error instanceof StreamError)) throw error;
    console.log(`Refused: ${error.message}`);
  }
}
server.close();
