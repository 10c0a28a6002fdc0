/**
 * Seeded contents that both languages make alike; see `python/_pattern.py`.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** What a message is filled with: `random` does not compress, `repeated` does. */
export type PatternKind = "random" | "repeated";

const LONGEST_KEPT = 4;
const kept = new Map<string, Uint8Array>();

/** `size` bytes that depend on all three arguments. */
export function pattern(
  kind: PatternKind,
  size: number,
  seed: string,
): Uint8Array {
  const name = `${seed}/${kind}/${size}`;
  const known = kept.get(name);
  if (known) return known;
  const bytes = kind === "random"
    ? shake128(name, size)
    : repeat(shake128(name, 256), size);
  // 20 MiB takes long to make, and the same one is asked for twice in a row.
  for (const oldest of kept.keys()) {
    if (kept.size < LONGEST_KEPT) break;
    kept.delete(oldest);
  }
  kept.set(name, bytes);
  return bytes;
}

function shake128(text: string, size: number): Uint8Array {
  if (size === 0) return new Uint8Array();
  const hash = createHash("shake128", { outputLength: size }).update(text);
  return new Uint8Array(hash.digest());
}

function repeat(unit: Uint8Array, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let offset = 0; offset < size; offset += unit.length) {
    bytes.set(unit.subarray(0, size - offset), offset);
  }
  return bytes;
}
