import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path/join";
import { Example, temporaryFolder } from "./_example.ts";

const ignore = Deno.build.os === "windows";

Deno.test(
  "The chat relays what one member says to all others, and lets members leave",
  {
    ignore,
  },
  async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "chat");
    await using server = new Example("chat", "serve", path);
    assertEquals(await server.line(), `Listening on ${path}`);

    await using ada = new Example("chat", "join", path, "Ada");
    assertEquals(await ada.line(), "* Ada has joined");
    await using bob = new Example("chat", "join", path, "Bob");
    for (const member of [ada, bob]) {
      assertEquals(await member.line(), "* Bob has joined");
    }
    await using eve = new Example("chat", "join", path, "Eve");
    for (const member of [ada, bob, eve]) {
      assertEquals(await member.line(), "* Eve has joined");
    }

    await ada.type("hello, all");
    assertEquals(await bob.line(), "Ada: hello, all");
    assertEquals(await eve.line(), "Ada: hello, all");
    await bob.endInput();
    assertEquals(await bob.end(), []);
    assertEquals(await ada.line(), "* Bob has left");
    await eve.type("goodbye, Bob");
    assertEquals(await ada.line(), "Eve: goodbye, Bob");

    // A member whose input stays open ends with the server.
    await server.stop();
    for (const member of [ada, eve]) {
      for (const line of await member.end()) assertMatch(line, /has left$/);
    }
    assertEquals([...Deno.readDirSync(folder.path)], []);
  },
);

Deno.test("The chat says how to use it, with exit code 2", async () => {
  await using chat = new Example("chat", "join");
  await chat.end(2);
  assertEquals(
    await chat.stderr,
    "Usage: chat.ts serve PATH | chat.ts join PATH NAME\n",
  );
});
