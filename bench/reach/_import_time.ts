const ROOT = `${import.meta.dirname}/../..`;

/** Milliseconds that a process takes which imports mod.ts, or an empty module: one figure a round. */
export async function importTimes(
  rounds: number,
): Promise<{ mod: number[]; empty: number[] }> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_import_" });
  try {
    const modules = {
      mod: `import "@sluice/sluice";\n`,
      empty: "export {};\n",
    };
    for (const [name, text] of Object.entries(modules)) {
      await Deno.writeTextFile(`${folder}/${name}.ts`, text);
    }
    const times = { mod: [] as number[], empty: [] as number[] };
    for (let round = -2; round < rounds; round++) {
      for (const name of ["empty", "mod"] as const) {
        const taken = await run(`${folder}/${name}.ts`);
        if (round >= 0) times[name].push(taken); // The first two fill the caches.
      }
    }
    return times;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function run(script: string): Promise<number> {
  const start = performance.now();
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", `--config=${ROOT}/deno.json`, script],
    stdout: "null",
  }).spawn().status;
  if (!success) throw new Error(`Cannot run ${script}`);
  return performance.now() - start;
}
