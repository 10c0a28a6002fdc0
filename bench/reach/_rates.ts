import { makeFolder } from "../peers/_folder.ts";
import type { Entry } from "../peers/_participants.ts";
import { ProcessPair } from "../peers/_process_pair.ts";
import { median } from "../_statistics.ts";
import type { Extent } from "./_report.ts";

const PEERS = `${import.meta.dirname}/../peers`;

/** Messages a second: for each participant and size, one figure a round. */
export type Rates = Readonly<Record<string, number[]>>;

/**
 * Measures messages one way between two processes each. In each round all take
 * turns, each round beginning with another one.
 *
 * @param scripts For each name the script, in `reach/` or `peers/`, and what
 * its command line begins with.
 * @param equalCounts Whether all send as many messages as the first does in the
 * time, rather than each what it can.
 * @returns Rates by `name`, or by `name size` if there are several sizes.
 */
export async function measureRates(
  scripts: Readonly<Record<string, readonly string[]>>,
  sizes: readonly number[],
  { rounds, seconds }: Extent,
  equalCounts = false,
): Promise<Rates> {
  const folder = await makeFolder(sizes);
  const pairs = new Map<string, ProcessPair>();
  try {
    for (const [name, command] of Object.entries(scripts)) {
      pairs.set(name, await ProcessPair.start(entry(name, command), folder));
    }
    const jobs = [];
    for (const size of sizes) {
      let count = 0;
      for (const [name, pair] of pairs) {
        if (count === 0 || !equalCounts) {
          count = await pair.calibrate("one-way", size, seconds);
        }
        const key = sizes.length > 1 ? `${name} ${size}` : name;
        jobs.push({ key, pair, size, count });
      }
    }
    const rates: Record<string, number[]> = {};
    for (let round = 0; round < rounds; round++) {
      const turns = [...jobs];
      turns.push(...turns.splice(0, round % turns.length));
      for (const { key, pair, size, count } of turns) {
        const taken = await pair.run("one-way", size, count);
        (rates[key] ??= []).push(count / taken);
      }
    }
    return rates;
  } finally {
    for (const pair of pairs.values()) await pair[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  }
}

/** The median of the ratios within each round. */
export function ratio(rates: Rates, of: string, to: string): number {
  return median(rates[of]!.map((rate, round) => rate / rates[to]![round]!));
}

/** `command`, with as many open files as the system lets one have. */
export function withManyFiles(command: readonly string[]): string[] {
  if (Deno.build.os === "windows") return [...command];
  const raise = 'ulimit -n "$(ulimit -H -n)"; exec "$@"';
  return ["sh", "-c", raise, "sh", ...command];
}

function entry(name: string, [script, ...args]: readonly string[]): Entry {
  const folder = script!.startsWith("sluice_") || script!.startsWith("deno_")
    ? PEERS
    : import.meta.dirname;
  return {
    name,
    title: name,
    command: withManyFiles([
      Deno.execPath(),
      "run",
      "--quiet",
      "--allow-all",
      `${folder}/${script}`,
      ...args,
    ]),
    version: () => Promise.resolve(Deno.version.deno),
  };
}
