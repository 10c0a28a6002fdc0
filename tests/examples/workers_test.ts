import { assertEquals } from "@std/assert";
import { run } from "./_example.ts";

Deno.test("workers.ts gathers the results of its children in the order of the tasks", async () => {
  const lines = await run("workers", "3");
  assertEquals(lines.length, 21);
  assertEquals(lines[0], "0 to 10000: 1229 primes");
  assertEquals(lines[19], "190000 to 200000: 814 primes");
  assertEquals(lines[20], "17984 in all");
});
