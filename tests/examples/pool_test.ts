import { assertEquals } from "@std/assert";
import { run } from "./_example.ts";

Deno.test("pool.ts serves ten tasks over three connections", async () => {
  const lines = await run("pool");
  assertEquals(lines.pop(), "100 calls over 3 connections");
  const expected = Array.from(
    { length: 10 },
    (_, task) =>
      Array.from({ length: 10 }, (_, call) => `Task ${task}, call ${call}`),
  );
  assertEquals(lines.sort(), expected.flat().sort());
});
