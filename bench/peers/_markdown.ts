import { digits, median, short, sizeName, spread } from "../_statistics.ts";
import type { Work } from "./_process_pair.ts";
import type { Results } from "./_results.ts";

/** The results as the Markdown that README embeds. */
export function toMarkdown(results: Results): string {
  const works = new Set(results.cells.map((cell) => cell.work));
  return [
    `Measured on ${
      results.date.slice(0, 10)
    } by \`${results.command}\` on ${results.machine}, with ${
      Object.entries(results.versions).map((entry) => entry.join(" "))
        .join(", ")
    }: two processes over loopback TCP, medians of ${results.rounds} interleaved rounds of ${results.secondsEach} s each, ± half the distance between the quartiles.`,
    ...[...works].flatMap((work) => [TITLES[work], rateTable(results, work)]),
    "**Ratios**, each taken within a round:",
    ratioTable(results),
  ].join("\n\n") + "\n";
}

const TITLES: Record<Work, string> = {
  "one-way": "**One way**, messages a second:",
  "round-trip": "**Round trips** a second:",
};

function rateTable(results: Results, work: Work): string {
  const cells = results.cells.filter((cell) => cell.work === work);
  return table(
    ["", ...cells.map((cell) => sizeName(cell.size))],
    results.participants.map(({ name, title, absent }) => [
      title,
      ...cells.map(({ size, rates }) => {
        const samples = rates[name];
        if (samples === undefined) {
          return absent?.split(":")[0] ?? "not measured";
        }
        const rate = median(samples);
        const bytes = work === "one-way" && size >= 65_536
          ? `, ${short(rate * size)}B/s`
          : "";
        return `${short(rate)}${bytes} ±${
          (spread(samples) * 100).toFixed(0)
        } %`;
      }),
    ]),
  );
}

function ratioTable(results: Results): string {
  const titles = new Map(results.participants.map((p) => [p.name, p.title]));
  return table(
    ["", "measured", "at least"],
    results.comparisons.map(({ work, size, of, to, atLeast, ratio }) => [
      `${sizeName(size)} ${work.replace("-", " ")}: ${
        titles.get(of) ?? of
      } to ${titles.get(to) ?? to}`,
      ratio === undefined ? "not measured" : digits(ratio),
      `${atLeast}`,
    ]),
  );
}

function table(head: string[], rows: string[][]): string {
  return [head, head.map((_, i) => (i === 0 ? "---" : "---:")), ...rows]
    .map((row) => `| ${row.join(" | ")} |`).join("\n");
}
