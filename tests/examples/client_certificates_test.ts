import { assertEquals, assertMatch } from "@std/assert";
import { dirname } from "@std/path/dirname";
import { certificateFiles } from "../_certificates.ts";
import { run } from "./_example.ts";

Deno.test("client_certificates.ts serves a client that shows a certificate, and refuses one that does not", async () => {
  await using files = await certificateFiles();
  const lines = await run("client_certificates", dirname(files.ca));
  assertEquals(lines.length, 2);
  assertEquals(lines[0], "Hello, Sluice test client");
  assertMatch(lines[1]!, /^Refused: /);
});
