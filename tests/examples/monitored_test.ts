import { assert, assertEquals, assertMatch } from "@std/assert";
import { run } from "./_example.ts";

Deno.test("monitored.ts prints each read and write with its total, and a summary at the end", async () => {
  const lines = await run("monitored");
  const summary = /^Closed after \d+\.\d\d s: (\d+) bytes sent, (\d+) received$/
    .exec(lines.pop()!);
  assert(summary);
  const totals = { READ: 0, WRITE: 0 };
  for (const line of lines) {
    assertMatch(line, /^(READ|WRITE): \d+ bytes \(total: \d+\)$/);
    const [kind, size, total] = line.match(/[A-Z]+|\d+/g)!;
    totals[kind as "READ" | "WRITE"] += Number(size);
    assertEquals(Number(total), totals[kind as "READ" | "WRITE"]);
  }
  assertEquals(Number(summary[1]), totals.WRITE);
  assertEquals(Number(summary[2]), totals.READ);
  assertEquals(totals.READ, 6 + 5 + 6 + 100_000);
  assert(totals.WRITE < 1000);
});
