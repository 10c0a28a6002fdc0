/**
 * Deals tasks out to child processes over their pipes, and gathers the results
 * in order. Here a task is to count the primes of a range.
 *
 * ```sh
 * deno run -A examples/workers.ts 4
 * ```
 *
 * Outside this repository, import from `jsr:@sluice/sluice`.
 *
 * @module
 */
import { Channel, createPipeStream, PipeStream } from "@sluice/sluice";

interface Task {
  from: number;
  to: number;
}

/** The child's side: a result for each task, until there are no more. */
async function work(): Promise<void> {
  await using channel = new Channel(PipeStream.fromStdio());
  for await (const message of channel) {
    const { from, to } = parse<Task>(message);
    await channel.send(format(countPrimes(from, to)));
  }
}

/** The parent's side: `count` children share the tasks. */
async function deal(tasks: readonly Task[], count: number): Promise<number[]> {
  const results: number[] = [];
  await using children = new AsyncDisposableStack();
  const next = tasks.entries(); // All children take from the same iterator.
  const useChild = async (): Promise<void> => {
    const stream = await createPipeStream(
      [Deno.execPath(), "run", "-q", import.meta.filename!, "work"],
    );
    const channel = children.use(new Channel(stream));
    for (const [index, task] of next) {
      await channel.send(format(task));
      const result = await channel.recv();
      if (result === null) throw new Error("A worker has ended early");
      results[index] = parse(result);
    }
  };
  // The first child to fail ends all, as the stack closes their channels.
  await Promise.all(Array.from({ length: count }, useChild));
  return results;
}

function countPrimes(from: number, to: number): number {
  let count = 0;
  for (let n = Math.max(from, 2); n < to; n++) {
    let divisor = 2;
    while (divisor * divisor <= n && n % divisor !== 0) divisor++;
    if (divisor * divisor > n) count++;
  }
  return count;
}

function format(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function parse<T>(message: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(message));
}

if (Deno.args[0] === "work") {
  await work();
} else {
  const tasks = Array.from(
    { length: 20 },
    (_, i) => ({ from: i * 10_000, to: (i + 1) * 10_000 }),
  );
  const results = await deal(tasks, Number(Deno.args[0] ?? 2));
  for (const [i, { from, to }] of tasks.entries()) {
    console.log(`${from} to ${to}: ${results[i]} primes`);
  }
  console.log(`${results.reduce((a, b) => a + b)} in all`);
}
