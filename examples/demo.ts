/**
 * Sends the files of this repository and 64 MiB of generated records to another
 * process, over every transport and through every kind of channel. The far side
 * computes a checksum and answers with it.
 *
 * ```sh
 * deno task demo
 * deno task demo --size 16    # 16 MiB of records
 * ```
 *
 * The exit code is 1 if anything arrived other than it was sent.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { format } from "@std/fmt/bytes";
import {
  BatchingChannel,
  type ByteStream,
  Channel,
  CompressedChannel,
  EncryptedChannel,
} from "@sluice/sluice";
import { Progress } from "./demo/progress.ts";
import {
  type Announcement,
  fromJson,
  type Receipt,
  toJson,
} from "./demo/receiver.ts";
import { openRoutes, type Route } from "./demo/routes.ts";
import { type Result, table } from "./demo/table.ts";
import { makeWorkload, type Workload } from "./demo/workload.ts";

/** The level that RPyC uses, too: three times as fast as the default, 6. */
const COMPRESSION = { level: 1 };

/** The channels that each transport is tried with. */
const CHANNELS: readonly {
  name: string;
  encrypted?: boolean;
  open(stream: ByteStream, key: Uint8Array): Channel;
}[] = [
  { name: "plain", open: (stream) => new Channel(stream) },
  {
    name: "compressed",
    open: (stream) => new CompressedChannel(stream, COMPRESSION),
  },
  { name: "batched", open: (stream) => new BatchingChannel(stream) },
  {
    name: "encrypted",
    encrypted: true,
    open: (stream, key) => new EncryptedChannel(stream, key),
  },
  {
    name: "all three",
    encrypted: true,
    open: (stream, key) =>
      new EncryptedChannel(stream, key, {
        compression: COMPRESSION,
        batching: {},
      }),
  },
];

/** Sends everything, and asks the far side for its checksum. */
async function transfer(
  channel: Channel,
  { messages, sha256 }: Workload,
  onSent: (bytes: number) => void,
): Promise<Pick<Result, "seconds" | "wire" | "sha256" | "intact">> {
  await channel.ready;
  await channel.recv(); // A child takes its time to start, which is not the channel's.
  const started = performance.now();
  await channel.send(toJson<Announcement>({ messages: messages.length }));
  for (const message of messages) {
    await channel.send(message);
    onSent(message.byteLength);
  }
  await channel.flush();
  const receipt = fromJson<Receipt>(await channel.recv());
  return {
    seconds: (performance.now() - started) / 1000,
    wire: channel.stats.bytesSent,
    sha256: receipt.sha256,
    intact: receipt.sha256 === sha256,
  };
}

/** Tries one transport with every channel that its peer understands. */
async function* tryRoute(
  route: Route,
  key: Uint8Array,
  workload: Workload,
): AsyncGenerator<Result> {
  for (const { name, encrypted = false, open } of CHANNELS) {
    if (encrypted && !route.encrypts) continue;
    await using stream = await route.open(encrypted);
    await using channel = open(stream, key);
    using progress = new Progress(`${route.name}, ${name}`, workload.size);
    const result = {
      transport: route.name,
      channel: name,
      messages: workload.messages.length,
      size: workload.size,
      ...await transfer(channel, workload, (bytes) => progress.add(bytes)),
    };
    progress.finish(
      `${result.intact ? "arrived whole" : "DAMAGED"} after ${
        result.seconds.toFixed(2)
      } s`,
    );
    yield result;
  }
}

/** Tries every route, prints the table, and gives the exit code. */
export async function demo(
  workload: Workload,
  routes: readonly Route[],
  key: Uint8Array,
): Promise<number> {
  const started = performance.now();
  const results: Result[] = [];
  for (const route of routes) {
    for await (const result of tryRoute(route, key, workload)) {
      results.push(result);
    }
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const damaged = results.filter(({ intact }) => !intact).length;
  console.log(`\n${table(results)}\n`);
  console.log(
    `${results.length} transfers in ${seconds} s, ${damaged} damaged. ` +
      "On the wire: before TLS. Compression: level 1.",
  );
  return damaged === 0 ? 0 : 1;
}

async function main(recordBytes: number, signal: AbortSignal): Promise<number> {
  await using cleanup = new AsyncDisposableStack();
  const workload = await makeWorkload(recordBytes);
  const { files, messages, size, sha256 } = workload;
  console.log(
    `${files} files and ${format(recordBytes, { binary: true })} of records: ` +
      `${format(size)} in ${messages.length} messages\nSHA-256 ${sha256}\n`,
  );
  const key = crypto.getRandomValues(new Uint8Array(32));
  return await demo(workload, await openRoutes(key, cleanup, signal), key);
}

if (import.meta.main) {
  const { size } = parseArgs(Deno.args, {
    string: ["size"],
    default: { size: "64" },
  });
  const mebibytes = Number(size);
  if (!(mebibytes > 0 && mebibytes <= 1024)) {
    console.error(`--size must be from 0 to 1024 MiB: it is ${size}`);
    Deno.exit(2);
  }
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort(new Error("Interrupted"));
  Deno.addSignalListener("SIGINT", interrupt);
  try {
    Deno.exitCode = await main(mebibytes * 2 ** 20, interrupted.signal);
  } catch (error) {
    console.error(interrupted.signal.aborted ? "Interrupted" : error);
    Deno.exitCode = interrupted.signal.aborted ? 130 : 1;
  } finally {
    Deno.removeSignalListener("SIGINT", interrupt);
  }
}
