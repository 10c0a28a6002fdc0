/**
 * Measures what `peers.ts` does not, line by line against what Sluice sets
 * itself: `deno task bench:reach`. What has two ends runs as two processes over
 * loopback TCP. A run of everything writes `results/reach.json`, `reach.md` and
 * `sizes.svg`; a part of it (`--only`, `--quick`) is only printed.
 *
 * | option | default |
 * | --- | --- |
 * | `--rounds=N` | 7 |
 * | `--seconds=S` | 0.3 for each rate |
 * | `--only=faces,sizes` | compression, faces, connections, sizes, idle, import |
 * | `--quick` | 3 rounds of 0.1 s |
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { machine } from "./_machine.ts";
import * as lines from "./reach/_lines.ts";
import { type Line, type Report, toMarkdown } from "./reach/_report.ts";

const RESULTS = `${import.meta.dirname}/results`;

const args = parseArgs(Deno.args, {
  string: ["rounds", "seconds", "only"],
  boolean: ["quick"],
});
const extent = {
  rounds: Number(args.rounds ?? (args.quick ? 3 : 7)),
  seconds: Number(args.seconds ?? (args.quick ? 0.1 : 0.3)),
};
const only = args.only?.split(",");
const complete = !args.quick && only === undefined;

const MEASURES: Readonly<Record<string, () => Promise<Line[]>>> = {
  compression: () => lines.compression(extent),
  faces: () => lines.faces(extent),
  connections: () => lines.connections(extent),
  sizes: () => lines.sizes(extent, saveChart),
  idle: () => lines.idle(extent),
  import: () => lines.importTime(extent),
};

const measured: Line[] = [];
for (const [name, measure] of Object.entries(MEASURES)) {
  if (only && !only.includes(name)) continue;
  for (const line of await measure()) {
    console.log(`${line.work}: ${line.figure}; target: ${line.target}`);
    measured.push(line);
  }
}
const report: Report = {
  date: new Date().toISOString(),
  command: "deno task bench:reach",
  machine: machine(),
  versions: { Deno: Deno.version.deno, V8: Deno.version.v8 },
  extent,
  lines: measured,
};
console.log("\n" + toMarkdown(report));
if (complete) {
  await Deno.mkdir(RESULTS, { recursive: true });
  await Deno.writeTextFile(
    `${RESULTS}/reach.json`,
    JSON.stringify(report, null, 1) + "\n",
  );
  await Deno.writeTextFile(`${RESULTS}/reach.md`, toMarkdown(report));
}

async function saveChart(svg: string): Promise<void> {
  if (!complete) return;
  await Deno.mkdir(RESULTS, { recursive: true });
  await Deno.writeTextFile(`${RESULTS}/sizes.svg`, svg);
}
