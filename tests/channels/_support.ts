import type { ByteStreamPair, ChannelOptions } from "@sluice/sluice";
import { Channel, PipeStream, SocketStream } from "@sluice/sluice";
import { concat } from "@std/bytes/concat";

/** The bytes of a transport of memory, that fails, stalls and counts as told. */
export interface Ends<T extends ByteStreamPair = ByteStreamPair> {
  near: T;
  far: T;
}

/** Two ends that are no streams of ours: what one writes is what the other reads. */
export function bareEnds({ buffer = 0 } = {}): Ends {
  const make = () =>
    new TransformStream<Uint8Array, Uint8Array>(
      {},
      { highWaterMark: 1 + buffer },
      { highWaterMark: buffer },
    );
  const [there, back] = [make(), make()];
  return {
    near: { readable: back.readable, writable: there.writable },
    far: { readable: there.readable, writable: back.writable },
  };
}

/** Two ends of a TCP connection. */
export async function tcpEnds(): Promise<Ends<SocketStream>> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const near = await SocketStream.connect("127.0.0.1", listener.addr.port);
  return { near, far: new SocketStream(await accepted) };
}

/** Two ends of a pipe in memory. */
export function memoryEnds(): Ends<PipeStream> {
  const [near, far] = PipeStream.createPair();
  return { near, far };
}

/** Every way in which these tests join two ends in this process. */
export const JOINTS: Record<
  "memory" | "TCP" | "a bare pair",
  () => Ends | Promise<Ends>
> = {
  "memory": memoryEnds,
  "TCP": tcpEnds,
  "a bare pair": () => bareEnds(),
};

/** Two channels, one at each end. */
export interface Channels extends AsyncDisposable {
  near: Channel;
  far: Channel;
}

/** Two channels that are connected; they are closed together. */
export async function channelsOver(
  ends: Ends | Promise<Ends>,
  options: ChannelOptions = {},
  farOptions: ChannelOptions = options,
): Promise<Channels> {
  const { near: one, far: other } = await ends;
  const near = new Channel(one, options);
  const far = new Channel(other, farOptions);
  return {
    near,
    far,
    async [Symbol.asyncDispose]() {
      await Promise.all([near.close(), far.close()]);
    },
  };
}

/** A pair that has nothing to read but `chunks`, and takes everything. */
export function pairOf(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  writable: WritableStream<Uint8Array> = new WritableStream(),
): ByteStreamPair {
  return { readable: ReadableStream.from(chunks), writable };
}

/** A pair of which only one direction moves, by hand. */
export interface ManualPair extends ByteStreamPair {
  /** Gives the channel bytes to read. */
  readonly source: ReadableStreamDefaultController<Uint8Array>;
  /** What the channel has written, each write a copy of its own. */
  readonly written: Uint8Array[];
  /** How many chunks the channel has asked for. */
  readonly pulls: number;
}

/** A pair to feed and inspect by hand. */
export function manualPair(
  { write }: { write?: (chunk: Uint8Array) => Promise<void> | void } = {},
): ManualPair {
  const written: Uint8Array[] = [];
  let source!: ReadableStreamDefaultController<Uint8Array>;
  let pulls = 0;
  const readable = new ReadableStream<Uint8Array>({
    start: (controller) => void (source = controller),
    pull: () => void pulls++,
  }, { highWaterMark: 0 });
  const writable = new WritableStream<Uint8Array>({
    async write(chunk) {
      written.push(chunk.slice());
      await write?.(chunk);
    },
  });
  return {
    readable,
    writable,
    source,
    written,
    get pulls() {
      return pulls;
    },
  };
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Whether a promise is still pending when everything else has settled. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  const settled = () => pending = false;
  promise.then(settled, settled);
  await settle();
  return pending;
}

/** What a promise rejects with. */
export async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("The promise was expected to reject");
}

/** A frame of RPyC's, written independently of the source. */
export function frameOf(
  payload: Uint8Array,
  { flag = 0, trailer = 0x0a, length = payload.byteLength } = {},
): Uint8Array {
  const header = new Uint8Array(5);
  new DataView(header.buffer).setUint32(0, length);
  header[4] = flag;
  return concat([header, payload, new Uint8Array([trailer])]);
}

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
export function randomOf(seed: number): () => number {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

/** A seed, which is printed so that a failure can be repeated with `SLUICE_SEED`. */
export function seed(): number {
  const given = Deno.env.get("SLUICE_SEED");
  const value = given ? Number(given) : Math.floor(Math.random() * 2 ** 31);
  console.log(`SLUICE_SEED=${value}`);
  return value;
}

/** Bytes that do not compress, the same for the same size and seed. */
export function noise(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed * 0x9e3779b9 + size | 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, size);
}

/** Bytes that compress well, the same for the same size. */
export function text(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = 97 + (i >> 3) % 7;
  return bytes;
}

/** Cuts bytes to chunks, each in memory of its own. */
export function cut(
  bytes: Uint8Array,
  size: number | (() => number),
): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const next = at + (typeof size === "number" ? size : size());
    chunks.push(bytes.slice(at, next));
    at = next;
  }
  return chunks;
}

/** The sizes around each of these where something may go wrong. */
export function around(...sizes: number[]): number[] {
  const all = sizes.flatMap((n) => [n - 1, n, n + 1, 2 * n + 1]);
  return [...new Set([0, 1, ...all])].sort((a, b) => a - b);
}

/** What the process holds after a collection, in bytes; 0 where it cannot be told. */
export function heldBytes(): number {
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Output of a Deno program of these lines, run by itself. */
export async function runDeno(
  code: string,
  { flags = [], args = [] }: { flags?: string[]; args?: string[] } = {},
): Promise<{ code: number; output: string }> {
  const root = new URL("../../", import.meta.url).href;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", ...flags, "-", ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    cwd: new URL(root),
  });
  const child = command.spawn();
  const result = child.output();
  await ReadableStream.from([code.replaceAll("@root/", root)])
    .pipeThrough(new TextEncoderStream()).pipeTo(child.stdin);
  const { code: status, stdout, stderr } = await result;
  const decoder = new TextDecoder();
  return {
    code: status,
    output: decoder.decode(stdout) + decoder.decode(stderr),
  };
}
