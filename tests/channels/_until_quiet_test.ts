import { assert, assertLess } from "@std/assert";
import { delay } from "@std/async/delay";
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
