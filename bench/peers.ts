/**
 * Measures Sluice beside the bare platform and what else one could use, process
 * to process over loopback TCP: `deno task bench:peers`.
 *
 * In each round, for each kind of work and payload, the participants take turns,
 * so that a machine that slows down slows all of them; ratios are taken within a
 * round and their median is what counts. A participant sends as many messages as
 * took it `--seconds` when it was calibrated, the clock runs until the receiver
 * has acknowledged the last, and the receiver's count has to be right. One that
 * is not installed is reported as missing. A run of everything writes
 * `results/peers.json`, `.md` and `.svg`; a part of it (`--only`, `--payloads`,
 * `--quick`) is only printed.
 *
 * | option | default |
 * | --- | --- |
 * | `--rounds=N` | 9 |
 * | `--seconds=S` | 0.3 |
 * | `--only=plain,conn` | all |
 * | `--payloads=64,1024` | 64, 1024, 65536, 1048576 |
 * | `--work=one-way` | one-way, round-trip |
 * | `--quick` | 3 rounds of 0.1 s |
 * | `--profile=FOLDER` | CPU profiles of the Deno processes are put there |
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { makeFolder } from "./peers/_folder.ts";
import { machine } from "./_machine.ts";
import { toMarkdown } from "./peers/_markdown.ts";
import {
  ENTRIES,
  type Entry,
  installNodePeers,
  output,
} from "./peers/_participants.ts";
import { ProcessPair, type Work } from "./peers/_process_pair.ts";
import { type Cell, compare, type Results } from "./peers/_results.ts";

const RESULTS = `${import.meta.dirname}/results`;

const args = parseArgs(Deno.args, {
  string: ["rounds", "seconds", "only", "payloads", "work", "profile"],
  boolean: ["quick"],
});
const rounds = Number(args.rounds ?? (args.quick ? 3 : 9));
const secondsEach = Number(args.seconds ?? (args.quick ? 0.1 : 0.3));
const sizes = args.payloads?.split(",").map(Number) ??
  [64, 1024, 65_536, 1_048_576];
const works = (args.work?.split(",") ?? ["one-way", "round-trip"]) as Work[];
const only = args.only?.split(",");
const complete = !args.quick &&
  !(args.only ?? args.payloads ?? args.work ?? args.profile);

const entries = ENTRIES.filter(({ name }) => only?.includes(name) ?? true);
const participants: Results["participants"] = [];
const pairs = new Map<Entry, ProcessPair>();
const cells: Cell[] = works.flatMap((work) =>
  sizes.map((size) => ({ work, size, rates: {} }))
);
const folder = await makeFolder(sizes);
try {
  if (entries.some(({ command }) => command[0] === "node")) {
    await installNodePeers();
  }
  for (const entry of entries) await start(entry);
  await measure();
} finally {
  for (const pair of pairs.values()) await pair[Symbol.asyncDispose]();
  await Deno.remove(folder, { recursive: true });
}

const node = await output("node", "--version");
const results: Results = {
  date: new Date().toISOString(),
  command: "deno task bench:peers",
  machine: machine(),
  versions: {
    Deno: Deno.version.deno,
    ...(node === undefined ? {} : { Node: node.slice(1) }),
    ...Object.fromEntries(
      participants.filter((p) => p.version !== undefined)
        .filter((p) => p.version !== Deno.version.deno)
        // The same library set up in two ways has one version.
        .map((p) => [p.title.split(",")[0]!, p.version!]),
    ),
  },
  rounds,
  secondsEach,
  participants,
  cells,
  comparisons: compare(cells),
};
console.log("\n" + toMarkdown(results));
if (complete) {
  const { toChart } = await import("./peers/_chart.ts");
  await Deno.mkdir(RESULTS, { recursive: true });
  await Deno.writeTextFile(
    `${RESULTS}/peers.json`,
    JSON.stringify(results, null, 1) + "\n",
  );
  await Deno.writeTextFile(`${RESULTS}/peers.md`, toMarkdown(results));
  await Deno.writeTextFile(`${RESULTS}/peers.svg`, toChart(results));
}
if (participants.some(({ absent }) => absent?.startsWith("failed"))) {
  Deno.exit(1);
}

/** Starts a participant, or notes why it does not take part. */
async function start(entry: Entry): Promise<void> {
  const { name, title } = entry;
  const version = await entry.version();
  participants.push({ name, title, version });
  if (version === undefined) return drop(entry, "missing");
  try {
    pairs.set(entry, await ProcessPair.start(withProfile(entry), folder));
  } catch (error) {
    await drop(entry, `failed: ${error}`);
  }
}

async function measure(): Promise<void> {
  const counts = new Map<string, number>();
  await eachInTurn(0, async ({ work, size }, entry, pair) => {
    counts.set(
      `${work} ${size} ${entry.name}`,
      await pair.calibrate(work, size, secondsEach),
    );
  });
  for (let round = 0; round < rounds; round++) {
    await eachInTurn(round, async ({ work, size, rates }, { name }, pair) => {
      const count = counts.get(`${work} ${size} ${name}`)!;
      const seconds = await pair.run(work, size, count);
      (rates[name] ??= []).push(count / seconds);
    });
  }
}

/** Calls `measure` for each cell and participant; each round starts with another one. */
async function eachInTurn(
  round: number,
  measure: (cell: Cell, entry: Entry, pair: ProcessPair) => Promise<void>,
): Promise<void> {
  for (const cell of cells) {
    const turns = [...pairs];
    turns.push(...turns.splice(0, round % Math.max(1, turns.length)));
    for (const [entry, pair] of turns) {
      try {
        await measure(cell, entry, pair);
      } catch (error) {
        await drop(entry, `failed: ${error}`);
      }
    }
  }
}

/** Leaves a participant out from here on; what it gave so far does not count. */
async function drop(entry: Entry, absent: string): Promise<void> {
  console.error(`${entry.title}: ${absent}`);
  participants.find(({ name }) => name === entry.name)!.absent = absent;
  for (const { rates } of cells) delete rates[entry.name];
  const pair = pairs.get(entry);
  pairs.delete(entry);
  await pair?.[Symbol.asyncDispose]();
}

function withProfile(entry: Entry): Entry {
  if (args.profile === undefined || entry.command[0] !== Deno.execPath()) {
    return entry;
  }
  const [deno, run, ...rest] = entry.command;
  const flags = ["--cpu-prof", `--cpu-prof-dir=${args.profile}/${entry.name}`];
  return { ...entry, command: [deno!, run!, ...flags, ...rest] };
}
