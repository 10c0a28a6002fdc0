/** How much of everything a run measures. */
export interface Extent {
  readonly rounds: number;
  /** What one measurement of a rate takes. */
  readonly seconds: number;
}

/** One line of the report. */
export interface Line {
  /** What is measured. */
  readonly work: string;
  /** What Sluice sets itself, in words. */
  readonly target: string;
  /** What was measured, in words. */
  readonly figure: string;
  /** Absent for a figure that has no target. */
  readonly reached?: boolean;
  /** What the figure was made of. */
  readonly samples: Readonly<Record<string, readonly number[]>>;
}

/** A whole report. */
export interface Report {
  readonly date: string;
  readonly command: string;
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly extent: Extent;
  readonly lines: readonly Line[];
}

/** The report as Markdown. */
export function toMarkdown(report: Report): string {
  const { date, command, machine, versions, extent, lines } = report;
  const version = Object.entries(versions).map((entry) => entry.join(" "));
  const rows = lines.map(({ work, target, figure, reached }) => [
    work,
    target,
    figure,
    reached === undefined ? "" : reached ? "yes" : "no",
  ]);
  const head = ["work", "target", "figure", "reached"];
  return `Measured on ${
    date.slice(0, 10)
  } by \`${command}\` on ${machine}, with ${
    version.join(", ")
  }: medians of ${extent.rounds} interleaved rounds, ratios taken within a round.\n\n` +
    [head, head.map(() => "---"), ...rows]
      .map((row) => `| ${row.join(" | ")} |\n`).join("");
}
