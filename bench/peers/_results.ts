import { median } from "../_statistics.ts";
import type { Work } from "./_process_pair.ts";

/** One square of the tables: a kind of work with one payload. */
export interface Cell {
  work: Work;
  size: number;
  /** Messages (or round trips) a second: for each participant, one figure a round. */
  rates: Record<string, number[]>;
}

/** How a run went. */
export interface Results {
  date: string;
  command: string;
  machine: string;
  versions: Record<string, string>;
  rounds: number;
  secondsEach: number;
  participants: Array<
    { name: string; title: string; version?: string; absent?: string }
  >;
  cells: Cell[];
  comparisons: Comparison[];
}

/** Two participants at the same work, as the median of the ratios within each round. */
export interface Comparison {
  work: Work;
  size: number;
  of: string;
  to: string;
  /** What Sluice sets itself. */
  atLeast: number;
  /** Measured; absent if one of the two was. */
  ratio?: number;
}

/** What Sluice sets itself: of, to, at least, at which work and payloads. */
const GOALS: ReadonlyArray<[string, string[], number, Work, number[]]> = [
  ["plain", ["rpyc", "ws", "zeromq"], 25, "one-way", [64]],
  ["plain", ["ws-corked"], 1, "one-way", [64, 1024]],
  ["plain", ["rpyc", "ws", "zeromq"], 10, "one-way", [1024]],
  ["plain", ["conn"], 0.95, "one-way", [65_536, 1_048_576]],
  ["plain", ["rpyc", "ws", "ws-corked", "zeromq"], 1, "one-way", [
    65_536,
    1_048_576,
  ]],
  ["plain", ["conn"], 0.95, "round-trip", [64]],
  ["encrypted", ["plain"], 0.5, "one-way", [64]],
  ["encrypted", ["tls"], 1, "one-way", [65_536, 1_048_576]],
  ["encrypted", ["tls"], 0.7, "round-trip", [64]],
];

/** The goals that `cells` can speak about. */
export function compare(cells: readonly Cell[]): Comparison[] {
  return GOALS.flatMap(([of, tos, atLeast, work, sizes]) =>
    sizes.flatMap((size) =>
      tos.map((to) => {
        const cell = cells.find((c) => c.work === work && c.size === size);
        const value = ratio(cell?.rates ?? {}, of, to);
        return { work, size, of, to, atLeast, ratio: value };
      })
    )
  );
}

function ratio(
  rates: Record<string, number[]>,
  of: string,
  to: string,
): number | undefined {
  const [a, b] = [rates[of], rates[to]];
  if (a === undefined || b === undefined) return undefined;
  return median(a.map((rate, round) => rate / b[round]!));
}
