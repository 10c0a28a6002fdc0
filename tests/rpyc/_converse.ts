/**
 * Our half of `channel_peer.py converse`, and the child that Python spawns
 * when the two talk over the child's pipes.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { equals } from "@std/bytes/equals";
import { Channel, PipeStream } from "@sluice/sluice";
import { pattern, type PatternKind } from "./_pattern.ts";

/** What both sides agreed on. */
export interface Plan {
  readonly sizes: readonly number[];
  readonly kinds: readonly PatternKind[];
  readonly seed: string;
}

/** The largest message that Python begins with: it takes a second for 20 MiB. */
const LARGEST_FROM_PYTHON = 1 << 20;

/** Sends every pattern and checks the echo, then checks and echoes those of Python. */
export async function converse(
  channel: Channel,
  { sizes, kinds, seed }: Plan,
): Promise<void> {
  const patterns = sizes.flatMap((size) =>
    kinds.map((kind) => ({
      kind,
      size,
      bytes: () => pattern(kind, size, seed),
    }))
  );
  for (const { kind, size, bytes } of patterns) {
    await channel.send(bytes());
    expect(await channel.recv(), bytes(), `the echo of ${kind} ${size}`);
  }
  for (const { kind, size, bytes } of patterns) {
    if (size > LARGEST_FROM_PYTHON) continue;
    const message = await channel.recv();
    expect(message, bytes(), `${kind} ${size} from Python`);
    await channel.send(message!);
  }
}

function expect(message: Uint8Array | null, bytes: Uint8Array, what: string) {
  assert(message !== null, `${what}: the stream ended`);
  // Not assertEquals: its difference of two large arrays takes minutes.
  assertEquals(message.length, bytes.length, `${what}: length`);
  assert(equals(message, bytes), `${what}: other bytes`);
}

/** The options that tell `channel_peer.py` the plan. */
export function planArguments({ sizes, kinds, seed }: Plan): string[] {
  return ["--sizes", sizes.join(), "--kinds", kinds.join(), "--seed", seed];
}

if (import.meta.main) {
  const { compression, ...plan } = JSON.parse(Deno.args[0]!);
  await using channel = new Channel(PipeStream.fromStdio(), { compression });
  await converse(channel, plan);
  assertEquals(await channel.recv(), null);
}
