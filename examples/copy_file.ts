/**
 * Copies a file to another machine, with progress and a checksum.
 *
 * ```sh
 * deno run -A examples/copy_file.ts receive inbox 7008
 * deno run -A examples/copy_file.ts send photo.jpg 127.0.0.1 7008
 * ```
 *
 * A file appears under its name only when all of it has arrived and its SHA-256
 * is right. Outside this repository, import from `jsr:@sluice/sluice`.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { basename } from "@std/path/basename";
import { join } from "@std/path/join";
import { format } from "@std/fmt/bytes";
import {
  type Channel,
  connect,
  serve,
  STREAM_CHUNK_SIZE,
} from "@sluice/sluice";

/** The first message; `size` bytes follow, then {@linkcode Trailer}. */
interface Header {
  name: string;
  size: number;
}

interface Trailer {
  sha256: string;
}

/** What the receiver answers. */
interface Receipt {
  stored: boolean;
}

async function sendFile(path: string, channel: Channel): Promise<boolean> {
  using file = await Deno.open(path);
  const { size } = await file.stat();
  await sendJson<Header>(channel, { name: basename(path), size });
  const hash = createHash("sha256");
  const buffer = new Uint8Array(STREAM_CHUNK_SIZE); // send() lets us reuse it.
  let sent = 0;
  while (sent < size) {
    const count = await file.read(buffer.subarray(0, size - sent));
    if (count === null) throw new Error(`${path} has become shorter`);
    const chunk = buffer.subarray(0, count);
    hash.update(chunk);
    await channel.send(chunk);
    sent += count;
    showProgress(sent, size);
  }
  await sendJson<Trailer>(channel, { sha256: hash.digest("hex") });
  return (await recvJson<Receipt>(channel)).stored;
}

async function receiveFile(folder: string, channel: Channel): Promise<void> {
  const { name, size } = await recvJson<Header>(channel);
  const path = join(folder, basename(name)); // Never outside of the folder.
  const partial = await Deno.makeTempFile({ dir: folder, suffix: ".part" });
  try {
    const hash = createHash("sha256");
    {
      using file = await Deno.open(partial, { write: true });
      const writer = file.writable.getWriter();
      for (let received = 0; received < size;) {
        const chunk = await channel.recv();
        if (chunk === null) throw new Error("The sender has given up");
        hash.update(chunk);
        await writer.write(chunk);
        received += chunk.byteLength;
      }
      await writer.close(); // Only now is all of it in the file.
    }
    const { sha256 } = await recvJson<Trailer>(channel);
    const stored = hash.digest("hex") === sha256;
    if (stored) await Deno.rename(partial, path);
    await sendJson<Receipt>(channel, { stored });
    console.log(stored ? `Stored ${path}` : `Refused ${path}: wrong SHA-256`);
  } finally {
    await Deno.remove(partial).catch(() => {}); // Gone if it was renamed.
  }
}

function showProgress(sent: number, size: number): void {
  const text = `${Math.floor(sent / size * 100)} % of ${format(size)}`;
  if (Deno.stdout.isTerminal()) {
    Deno.stdout.writeSync(new TextEncoder().encode(`\r${text}`));
  } else if (sent === size) {
    console.log(text);
  }
}

function sendJson<T>(channel: Channel, value: T): Promise<void> {
  return channel.send(new TextEncoder().encode(JSON.stringify(value)));
}

async function recvJson<T>(channel: Channel): Promise<T> {
  const message = await channel.recv();
  if (message === null) throw new Error("The peer has given up");
  return JSON.parse(new TextDecoder().decode(message));
}

const [command, path, ...address] = Deno.args;
if (command === "receive" && path && address.length === 1) {
  const server = serve({
    port: Number(address[0]),
    maxMessageSize: STREAM_CHUNK_SIZE,
    stallTimeout: 30_000,
    onListen: ({ port }) => console.log(`Listening on port ${port}`),
    onError: (error) => console.error(error),
  }, (channel) => receiveFile(path, channel));
  Deno.addSignalListener("SIGINT", () => server.shutdown());
  await server.finished;
} else if (command === "send" && path && address.length === 2) {
  const [hostname, port] = address;
  await using channel = await connect({ hostname, port: Number(port) });
  const stored = await sendFile(path, channel);
  console.log(stored ? "\nStored" : "\nRefused: wrong SHA-256");
  if (!stored) Deno.exitCode = 1;
} else {
  console.error(
    "Usage: copy_file.ts receive FOLDER PORT | send FILE HOST PORT",
  );
  Deno.exitCode = 2;
}
