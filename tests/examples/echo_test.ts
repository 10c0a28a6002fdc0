import { assertEquals, assertMatch } from "@std/assert";
import { Example } from "./_example.ts";

Deno.test("The echo client prints what the echo server sends back, line by line", async () => {
  await using server = new Example("echo_server", "0");
  const port = (await server.line()).split(":")[1]!;
  await using client = new Example("echo_client", port);
  for (const text of ["one", "", "zwei äöü €"]) {
    await client.type(text);
    assertEquals(await client.line(), text);
  }
  await client.endInput();
  assertEquals(await client.end(), []);
  await server.stop();
});

Deno.test(
  "The echo server ends at Ctrl-C while a client is connected, and the client ends with it",
  {
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await using server = new Example("echo_server", "0");
    const port = (await server.line()).split(":")[1]!;
    await using client = new Example("echo_client", port);
    await client.type("still here");
    assertEquals(await client.line(), "still here");
    await server.stop();
    await client.type("anybody?");
    await client.end(1);
    assertEquals(await client.stderr, "The server has ended\n");
  },
);

Deno.test("The echo client says why it cannot connect, with exit code 1", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await using client = new Example("echo_client", `${port}`);
  await client.end(1);
  assertMatch(await client.stderr, /^Cannot connect to 127\.0\.0\.1:\d+/);
});
