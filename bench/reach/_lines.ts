/**
 * One function for each thing that is measured; each gives the lines of the
 * report that come of it.
 *
 * @module
 */
import { digits, median, short, sizeName } from "../_statistics.ts";
import { idleMemory } from "./_idle_memory.ts";
import { importTimes } from "./_import_time.ts";
import { measureRates, type Rates, ratio } from "./_rates.ts";
import type { Extent, Line } from "./_report.ts";
import { sizesChart } from "./_sizes_chart.ts";

const SLUICE = ["sluice_plain.ts"];

/** Compressed messages against zlib that only compresses them. */
export async function compression(extent: Extent): Promise<Line[]> {
  const rates = await measureRates(
    {
      compressed: ["sluice_compressed.ts"],
      deflateSync: ["engine.ts", "deflateSync"],
      CompressionStream: ["engine.ts", "CompressionStream"],
      bothEnds: ["engine.ts", "both-ends"],
    },
    [65_536],
    extent,
  );
  const engines = {
    deflateSync: "`deflateSync` alone on the same messages",
    CompressionStream: "`CompressionStream` alone on the same messages",
    bothEnds:
      "`deflateSync` on the same messages while another process inflates as many",
  };
  return Object.entries(engines).map(([engine, title]) =>
    ratioLine(
      `compressed, 64 KiB of JSON text, level 6, to ${title}`,
      rates,
      ["compressed", engine],
      0.95,
    )
  );
}

/** The other ways to send and receive against `send()` and `recv()`. */
export async function faces(extent: Extent): Promise<Line[]> {
  const names = ["for-await", "readable", "writable"];
  const rates = await measureRates(
    {
      plain: SLUICE,
      ...Object.fromEntries(names.map((name) => [name, ["face.ts", name]])),
    },
    [64],
    extent,
  );
  return names.map((name) =>
    ratioLine(
      `64 B one way, \`${name.replace("-", " ")}\` to \`recv\` and \`send\``,
      rates,
      [name, "plain"],
      0.7,
    )
  );
}

/** The total rate of many connections against one. */
export async function connections(
  { rounds, seconds }: Extent,
): Promise<Line[]> {
  // Long enough for what each of 1000 begins with, and ends with, not to count.
  const extent = { rounds, seconds: 10 * seconds };
  const counts = [1, 10, 100, 1000];
  const participants = (kind: string) =>
    counts.map((count) =>
      [`${kind} ${count}`, ["connections.ts", kind, `${count}`]] as const
    );
  const lines: Line[] = [];
  for (const size of [64, 1024]) {
    // With messages that short it is they that count, of which bytes know nothing.
    const compared = size > 64;
    const rates = await measureRates(
      Object.fromEntries([
        ...participants("channels"),
        ...compared ? participants("bytes") : [],
      ]),
      [size],
      extent,
      true,
    );
    for (const count of counts.slice(1)) {
      const line = ratioLine(
        `${sizeName(size)} one way, ${count} connections to one, total rate`,
        rates,
        [`channels ${count}`, "channels 1"],
        0.8,
      );
      const bare = compared &&
        digits(ratio(rates, `bytes ${count}`, "bytes 1"));
      lines.push(
        bare
          ? {
            ...line,
            figure:
              `${line.figure}; bare \`Deno.Conn\` with the same bytes: ${bare}`,
          }
          : line,
      );
    }
  }
  return lines;
}

/** The cost of a byte from the smallest messages to large ones, and its chart. */
export async function sizes(
  extent: Extent,
  saveChart: (svg: string) => Promise<void>,
): Promise<Line[]> {
  const all = Array.from({ length: 21 }, (_, i) => 16 * 2 ** i);
  const rates = await measureRates(
    { sluice: SLUICE, conn: ["deno_conn.ts"] },
    all,
    extent,
  );
  const costs = (name: string) =>
    all.map((size) => 1e9 / median(rates[`${name} ${size}`]!) / size);
  const sluice = costs("sluice");
  await saveChart(
    sizesChart(all, { "Sluice": sluice, "bare Deno.Conn": costs("conn") }),
  );
  const worst = worstStep(rates, "sluice", all);
  const bare = worstStep(rates, "conn", all);
  return [{
    work: "message size 16 B to 16 MiB, each double the one before",
    target: "cost per byte falls or stays (at most 1.1 times at any step)",
    figure: `${digits(sluice[0]!)} to ${
      digits(sluice.at(-1)!)
    } ns per byte; the worst step is ${worst.text} (bare \`Deno.Conn\`: ${bare.text})`,
    reached: worst.step <= 1.1,
    samples: rates,
  }];
}

/** The step from one size to the next that makes a byte dearest. */
function worstStep(
  rates: Rates,
  name: string,
  sizes: readonly number[],
): { step: number; text: string } {
  // Within a round, so that a machine that slows down makes no cliff.
  const steps = sizes.slice(1).map((size, i) => {
    const step = ratio(rates, `${name} ${sizes[i]}`, `${name} ${size}`) / 2;
    return { step, text: `${digits(step)} times, to ${sizeName(size)}` };
  });
  return steps.reduce((a, b) => a.step > b.step ? a : b);
}

/** The memory of idle channels beyond that of idle connections. */
export async function idle({ rounds }: Extent): Promise<Line[]> {
  const count = 10_000;
  const samples: Record<string, number[]> = {
    bareListening: [],
    bareConnecting: [],
    channelListening: [],
    channelConnecting: [],
  };
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    for (const kind of ["bare", "channel"] as const) {
      const { listening, connecting } = await idleMemory(kind, count);
      samples[`${kind}Listening`]!.push(listening);
      samples[`${kind}Connecting`]!.push(connecting);
    }
  }
  return ["Listening", "Connecting"].map((end) => {
    const beyond = median(samples[`channel${end}`]!) -
      median(samples[`bare${end}`]!);
    return {
      work:
        `${count} idle channels that wait for a message, the ${end.toLowerCase()} end`,
      target:
        "at most 8 KiB of resident memory each beyond a bare `Deno.Conn` that waits for bytes",
      figure: `${(beyond / 1024).toFixed(1)} KiB`,
      reached: beyond <= 8192,
      samples,
    };
  });
}

/** What importing all of the library takes. */
export async function importTime({ rounds }: Extent): Promise<Line[]> {
  const samples = await importTimes(rounds * 5);
  const beyond = median(samples.mod.map((ms, i) => ms - samples.empty[i]!));
  return [{
    work: "import of `mod.ts`, cached",
    target: "at most 30 ms beyond an empty module",
    figure: `${beyond.toFixed(1)} ms (${median(samples.mod).toFixed(1)} to ${
      median(samples.empty).toFixed(1)
    })`,
    reached: beyond <= 30,
    samples: { ...samples },
  }];
}

function ratioLine(
  work: string,
  rates: Rates,
  [of, to]: readonly [string, string],
  atLeast: number,
): Line {
  const value = ratio(rates, of, to);
  return {
    work,
    target: `at least ${atLeast}`,
    figure: `${digits(value)} (${short(median(rates[of]!))} to ${
      short(median(rates[to]!))
    } a second)`,
    reached: value >= atLeast,
    samples: rates,
  };
}
