import { assert, assertLess } from "@std/assert";
import { delay } from "@std/async/delay";
import { Turn } from "../../channels/_turn.ts";
import { untilQuiet } from "../../channels/_until_quiet.ts";

const never = new AbortController().signal;

Deno.test("untilQuiet does not take a busy process for a silent peer", async () => {
  let progress = 0;
  let settled = false;
  const quiet = untilQuiet(() => progress, 5000, never)
    .then(() => settled = true);
  const start = performance.now();
  while (performance.now() - start < 100); // Nothing can be read meanwhile.
  await delay(0);
  assert(!settled);
  progress++;
  const last = performance.now();
  await quiet;
  assertLess(20, performance.now() - last);
});

Deno.test("untilQuiet settles at its limit and at an abort, whatever goes on", async () => {
  let progress = 0;
  const busy = setInterval(() => progress++, 1);
  const start = performance.now();
  await untilQuiet(() => progress, 60, never);
  assertLess(performance.now() - start, 2000);
  const abort = new AbortController();
  const quiet = untilQuiet(() => progress, 60_000, abort.signal);
  abort.abort();
  await quiet;
  assertLess(performance.now() - start, 2000);
  clearInterval(busy);
});

for (const busy of ["turns", "work at the end of each turn"]) {
  Deno.test(`untilQuiet does not take a peer for silent that ${busy} keep it from reading`, async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    using near = await Deno.connect({
      hostname: "127.0.0.1",
      port: listener.addr.port,
    });
    using far = await listener.accept();
    let received = 0;
    const reading = (async () => {
      const buffer = new Uint8Array(1000);
      for (let n; (n = await far.read(buffer)) !== null;) received += n;
    })();
    const sending = setInterval(() => near.write(new Uint8Array(1)), 4);
    const abort = new AbortController();
    let settled = false;
    const quiet = untilQuiet(() => received, 60_000, abort.signal)
      .then(() => settled = true);
    const work = () => {
      const begun = performance.now();
      while (performance.now() < begun + 0.7);
    };
    if (busy === "turns") {
      await Promise.all(Array.from({ length: 500 }, async () => {
        await new Turn().take(1000, 0);
        work();
      }));
    } else {
      for (let round = 0; round < 500; round++) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        work();
      }
    }
    assert(!settled);
    abort.abort();
    await quiet;
    clearInterval(sending);
    await near.closeWrite();
    await reading;
  });
}
