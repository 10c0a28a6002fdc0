import { delay } from "@std/async/delay";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { readAll, spawnDeno } from "./_support.ts";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("fromStdio keeps standard output clean for the protocol until it is closed", async () => {
  await using child = await spawnDeno(
    `
    import { PipeStream } from "@sluice/sluice/streams";
    const stdio = PipeStream.fromStdio();
    const { log } = console;
    console.log("log");
    console.info("info");
    console.debug("debug");
    console.dir({ dir: 1 });
    console.table([{ table: 1 }]);
    console.group("group");
    console.groupEnd();
    console.count("count");
    console.time("timer");
    console.timeEnd("timer");
    log("captured");
    await stdio.write(await stdio.read(4));
    await stdio.close();
    console.log("restored");
    `,
    { stderr: "piped" },
  );
  await child.write(encode("ping"));
  assertEquals(await readAll(child), "pingrestored\n");
  await child.closeWrite();
  await child.finished;
  const words = ["log", "info", "debug", "dir", "table", "group", "count"];
  for (const word of [...words, "timer", "captured"]) {
    assertStringIncludes(child.stderr!, word);
  }
});

Deno.test("fromStdio can be used once", async () => {
  await using child = await spawnDeno(`
    import { PipeStream } from "@sluice/sluice/streams";
    const stdio = PipeStream.fromStdio();
    try {
      PipeStream.fromStdio();
    } catch (error) {
      await stdio.write(new TextEncoder().encode(String(error)));
    }
    await stdio.close();
  `);
  const text = await readAll(child);
  assertStringIncludes(text, "TypeError: Cannot use standard input and output");
});

Deno.test("A process ends after it closed its standard streams, even with a read and a write stuck", async () => {
  await using child = await spawnDeno(
    `
    import { PipeStream } from "@sluice/sluice/streams";
    const stdio = PipeStream.fromStdio();
    stdio.read(1).catch(() => {});
    stdio.write(new Uint8Array(10_000_000)).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 100));
    await stdio.close();
    console.error("closed");
    Deno.exit(4);
  `,
    { stderr: "piped" },
  );
  assertEquals((await child.status)?.code, 4);
  // It is read beside; the end of the process may be seen first.
  for (let turn = 0; turn < 200 && child.stderr === ""; turn++) await delay(5);
  assertEquals(child.stderr, "closed\n");
});
