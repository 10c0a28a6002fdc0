/**
 * The far side of the demo, a process of its own: it receives, computes the
 * checksum, and answers with it.
 *
 * ```text
 * receiver.ts pipe        one channel over standard input and output
 * receiver.ts pipe key    the same, encrypted
 * receiver.ts serve TLS   TCP, TLS and a Unix socket in the folder of the certificate
 * ```
 *
 * @module
 */
import { decodeHex } from "@std/encoding/hex";
import { join } from "@std/path/join";
import {
  Channel,
  EncryptedChannel,
  PipeStream,
  serve,
  type Server,
} from "@sluice/sluice";
import { Checksum } from "./workload.ts";

/** What comes first: how many messages follow. */
export interface Announcement {
  messages: number;
}

/** What the receiver answers. */
export interface Receipt {
  sha256: string;
}

/** Where the receiver listens, without and with encryption. */
export interface Addresses {
  tcp: Address;
  tls: Address;
  /** Not on Windows. */
  unix?: Address;
}

/** One transport's ports, or paths. */
export interface Address {
  plain: number | string;
  encrypted: number | string;
}

/** The variable that gives a receiver the key, in hexadecimal: arguments can be seen by others. */
export const KEY_VARIABLE = "SLUICE_DEMO_KEY";

/** Says that it is there, receives what is announced, and answers. */
export async function receive(channel: Channel): Promise<void> {
  await channel.send(new Uint8Array());
  const checksum = new Checksum();
  const { messages } = fromJson<Announcement>(await channel.recv());
  for (let i = 0; i < messages; i++) {
    const message = await channel.recv();
    if (message === null) return; // The sender has given up.
    checksum.update(message);
  }
  await channel.send(toJson<Receipt>({ sha256: checksum.digest() }));
}

/** A message of a JSON text. */
export function toJson<T>(value: T): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** What a message of a JSON text says. */
export function fromJson<T>(message: Uint8Array | null): T {
  if (message === null) throw new Error("The peer ended without an answer");
  return JSON.parse(new TextDecoder().decode(message));
}

/** Serves until the demo ends our standard input. */
async function serveAll(key: Uint8Array, certFile: string, keyFile: string) {
  const folder = join(certFile, "..");
  await using servers = new AsyncDisposableStack();
  const both = (
    start: (name: "plain" | "encrypted", key?: Uint8Array) => Server,
  ): Address => {
    const plain = servers.use(start("plain")).addr;
    const encrypted = servers.use(start("encrypted", key)).addr;
    return { plain: portOrPath(plain), encrypted: portOrPath(encrypted) };
  };
  const addresses: Addresses = {
    tcp: both((_, key) => serve({ port: 0, key }, receive)),
    tls: both((_, key) => serve({ port: 0, key, certFile, keyFile }, receive)),
  };
  if (Deno.build.os !== "windows") {
    addresses.unix = both((name, key) =>
      serve({ path: join(folder, name), key }, receive)
    );
  }
  await using control = new Channel(PipeStream.fromStdio());
  await control.send(toJson(addresses));
  await control.recv();
}

function portOrPath(address: Deno.Addr): number | string {
  return "port" in address ? address.port : (address as Deno.UnixAddr).path!;
}

if (import.meta.main) {
  const [work, ...args] = Deno.args;
  const key = decodeHex(Deno.env.get(KEY_VARIABLE) ?? "");
  if (work === "serve") {
    await serveAll(key, args[0]!, args[1]!);
  } else {
    const stream = PipeStream.fromStdio();
    await using channel = args[0] === "key"
      ? new EncryptedChannel(stream, key)
      : new Channel(stream);
    await receive(channel);
  }
}
