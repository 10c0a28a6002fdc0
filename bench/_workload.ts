import type { Channel } from "@sluice/sluice";
import { jsonText } from "./_json_text.ts";
import { sizeName } from "./_statistics.ts";

/** What one iteration of a bench moves: `count` messages. */
export interface Workload {
  /** The bench group: `4096 x 64 B`. */
  readonly group: string;
  readonly count: number;
  /** JSON text; the same bytes for each message. */
  readonly message: Uint8Array<ArrayBuffer>;
}

/** One workload for each payload size, of about the same total. */
export const WORKLOADS: readonly Workload[] = [
  workload(64, 4096),
  workload(1024, 1024),
  workload(65_536, 32),
  workload(1_048_576, 4),
];

/** A workload of `count` messages of `size` bytes. */
export function workload(size: number, count: number): Workload {
  return {
    group: `${count} x ${sizeName(size)}`,
    count,
    message: jsonText(size),
  };
}

/** The messages of `workload` as a stream. */
export function source(
  { count, message }: Workload,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let left = count;
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(message);
      else controller.close();
    },
  });
}

/**
 * Reads `stream` to its end, and checks that it gave `count` chunks if that is
 * known. Await it in an `async fn`: `Deno.bench` takes any other function for
 * a synchronous one, and starts tens of thousands of streams before one ends.
 */
export async function drain(
  stream: ReadableStream<unknown>,
  count?: number,
): Promise<void> {
  let chunks = 0;
  for await (const _ of stream) chunks++;
  if (count !== undefined && chunks !== count) {
    throw new Error(`Received ${chunks} messages instead of ${count}`);
  }
}

/** Times how long the messages of `workload` take from one channel to the other; closes both. */
export async function benchTransfer(
  bench: Deno.BenchContext,
  from: Channel,
  to: Channel,
  { count, message }: Workload,
): Promise<void> {
  await Promise.all([from.ready, to.ready]);
  bench.start();
  const sent = (async () => {
    for (let i = 0; i < count; i++) await from.send(message);
    await from.flush();
  })();
  for (let i = 0; i < count; i++) {
    const received = await to.recv();
    if (received?.byteLength !== message.byteLength) {
      throw new Error(`Received ${received?.byteLength} bytes`);
    }
  }
  await sent;
  bench.end();
  // At once: one that closes first would wait for the other.
  await Promise.all([from.close(), to.close()]);
}
