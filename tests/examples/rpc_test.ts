import { assertEquals, assertStringIncludes } from "@std/assert";
import { Example, run } from "./_example.ts";

Deno.test("rpc.ts calls an object of another process, which calls back", async () => {
  await using server = new Example("rpc", "serve", "0");
  const port = (await server.line()).split(" ").at(-1)!;
  assertEquals(await run("rpc", "call", port, "Ada"), [
    "Hello, Ada",
    "A",
    "d",
    "a",
    "3 letters",
  ]);
  await using failing = new Example("rpc", "call", port, "");
  await failing.end(1);
  assertStringIncludes(await failing.stderr, "A name must not be empty");
  await server.stop();
});
