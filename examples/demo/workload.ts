/**
 * What the demo sends: the files of this repository, then generated records.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "@std/path/join";
import { fromFileUrl } from "@std/path/from-file-url";
import { STREAM_CHUNK_SIZE } from "@sluice/sluice";

/** Messages, and what the far side has to find. */
export interface Workload {
  /** How many files are in it. */
  readonly files: number;
  /** All messages, in order. */
  readonly messages: readonly Uint8Array[];
  /** Their length in all, in bytes. */
  readonly size: number;
  /** The {@linkcode Checksum} of them, in hexadecimal. */
  readonly sha256: string;
}

/** SHA-256 over messages and their lengths, so that it tells where each one ends, too. */
export class Checksum {
  readonly #hash = createHash("sha256");
  readonly #length = new DataView(new ArrayBuffer(4));

  /** Adds the next message. */
  update(message: Uint8Array): void {
    this.#length.setUint32(0, message.byteLength);
    this.#hash.update(this.#length).update(message);
  }

  /** Ends it. */
  digest(): string {
    return this.#hash.digest("hex");
  }
}

/**
 * Reads the repository and generates records.
 *
 * @param recordBytes How many bytes of records, at least.
 */
export async function makeWorkload(recordBytes: number): Promise<Workload> {
  const root = fromFileUrl(new URL("../..", import.meta.url));
  const messages: Uint8Array[] = [];
  let files = 0;
  for await (const path of filesOf(root)) {
    files++;
    messages.push(encoder.encode(path));
    const content = await Deno.readFile(join(root, path));
    for (let i = 0; i < content.length; i += STREAM_CHUNK_SIZE) {
      messages.push(content.subarray(i, i + STREAM_CHUNK_SIZE));
    }
  }
  for (const page of recordPages(recordBytes)) messages.push(page);

  const checksum = new Checksum();
  let size = 0;
  for (const message of messages) {
    checksum.update(message);
    size += message.byteLength;
  }
  return { files, messages, size, sha256: checksum.digest() };
}

/** The files below a folder, without hidden ones and what npm has put there. */
async function* filesOf(root: string, folder = ""): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(join(root, folder))) {
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* filesOf(root, path);
    else if (entry.isFile) yield path;
  }
}

const encoder = new TextEncoder();
const PAGE_SIZE = 16_384;
const CITIES = ["Cairo", "Kyoto", "Lima", "Oslo", "Perth", "Porto", "Quito"];

/** Readings of sensors as lines of JSON, the same in each run, about 200 to a message. */
function* recordPages(bytes: number): Generator<Uint8Array> {
  let id = 0;
  let random = 1;
  const below = (limit: number): number => {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    return Math.floor(random / 2 ** 32 * limit);
  };
  for (let made = 0; made < bytes;) {
    let page = "";
    while (page.length < PAGE_SIZE) {
      const sensor = `${CITIES[below(CITIES.length)]}-${below(1000)}`;
      page += `{"id":${++id},"sensor":"${sensor}","time":${
        1_767_225_600_000 + id * 250
      },"value":${below(100_000) / 100}}\n`;
    }
    made += page.length;
    yield encoder.encode(page);
  }
}
