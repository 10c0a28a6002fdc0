import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path/join";
import { connect } from "@sluice/sluice";
import { Example, run, temporaryFolder } from "./_example.ts";

Deno.test("copy_file.ts carries files of any size whole, and shows progress", async () => {
  await using folder = await temporaryFolder();
  const inbox = join(folder.path, "inbox");
  await Deno.mkdir(inbox);
  await using receiver = new Example("copy_file", "receive", inbox, "0");
  const port = (await receiver.line()).split(" ").at(-1)!;
  for (const size of [0, 1, 64_000, 1_000_003]) {
    const name = `${size} bytes`;
    const content = new Uint8Array(size).map((_, i) => i * 7 + (i >> 8));
    await Deno.writeFile(join(folder.path, name), content);
    const lines = await run(
      "copy_file",
      "send",
      join(folder.path, name),
      "127.0.0.1",
      port,
    );
    if (size > 0) assertMatch(lines[0]!, /^100 % of /);
    assertEquals(lines.at(-1), "Stored");
    assertEquals(await receiver.line(), `Stored ${join(inbox, name)}`);
    assertEquals(await Deno.readFile(join(inbox, name)), content);
  }
  await receiver.stop();
});

Deno.test("copy_file.ts stores nothing of a file that is damaged or cut short, and nothing outside its folder", async () => {
  await using folder = await temporaryFolder();
  const inbox = join(folder.path, "inbox");
  await Deno.mkdir(inbox);
  await using receiver = new Example("copy_file", "receive", inbox, "0");
  const port = Number((await receiver.line()).split(" ").at(-1));
  const json = (value: unknown) =>
    new TextEncoder().encode(JSON.stringify(value));
  {
    await using channel = await connect({ port });
    await channel.send(json({ name: "damaged", size: 3 }));
    await channel.send(new Uint8Array(3));
    await channel.send(json({ sha256: "0".repeat(64) }));
    assertEquals(await channel.recv(), json({ stored: false }));
  }
  assertMatch(await receiver.line(), /^Refused .*damaged: wrong SHA-256$/);
  {
    await using channel = await connect({ port });
    await channel.send(json({ name: "short", size: 100 }));
    await channel.send(new Uint8Array(3));
    await channel.writable.close();
    await channel.finished; // The receiver aborts.
  }
  {
    await using channel = await connect({ port });
    await channel.send(json({ name: "../outside", size: 0 }));
    const sha256 =
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    await channel.send(json({ sha256 }));
    assertEquals(await channel.recv(), json({ stored: true }));
  }
  assertEquals(await receiver.line(), `Stored ${join(inbox, "outside")}`);
  await receiver.stop();
  assertEquals(Array.from(Deno.readDirSync(inbox), ({ name }) => name), [
    "outside",
  ]);
  assertEquals(Array.from(Deno.readDirSync(folder.path)).length, 1);
});
