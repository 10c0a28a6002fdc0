import { assertEquals, assertRejects } from "@std/assert";
import { Channel, PipeStream } from "@sluice/sluice";
import { TokenStream } from "../../examples/token_stream.ts";
import { run } from "./_example.ts";

Deno.test("token_stream.ts lets the right token in, and refuses a guess on both sides", async () => {
  const lines = await run("token_stream");
  assertEquals(lines.sort(), [
    "Client: Authentication failed",
    "Hello",
    "Server: Authentication failed",
  ]);
});

for (const guess of ["", "secre", "secret!", "Secret"]) {
  Deno.test(`TokenStream closes a stream whose peer shows "${guess}" for "secret"`, async () => {
    const [near, far] = PipeStream.createPair();
    const opening = assertRejects(() => TokenStream.open(near, guess), Error);
    await assertRejects(
      () => TokenStream.accept(far, "secret"),
      Error,
      "Authentication failed",
    );
    await opening;
    assertEquals([near.closed, far.closed], [true, true]);
  });
}

Deno.test("TokenStream carries a channel whose first messages come together with the token", async () => {
  const [near, far] = PipeStream.createPair();
  const accepting = TokenStream.accept(far, "secret");
  await using client = new Channel(await TokenStream.open(near, "secret"));
  await using server = new Channel(await accepting);
  await client.send(new Uint8Array([1, 2, 3]));
  assertEquals(await server.recv(), new Uint8Array([1, 2, 3]));
  await client.close();
  assertEquals(await server.recv(), null);
});
