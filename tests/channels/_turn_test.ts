import { assert, assertEquals, assertLess } from "@std/assert";
import { Turn } from "../../channels/_turn.ts";
import { channelsOver, memoryEnds, noise } from "./_support.ts";

Deno.test("Turn gives each of several connections with many messages a turn of its own", async () => {
  const turns = [new Turn(), new Turn(), new Turn()];
  const log: number[] = [];
  await Promise.all(turns.map(async (turn, i) => {
    await turn.take(1000);
    for (let step = 0; step < 3; step++) {
      log.push(i);
      await Promise.resolve();
    }
  }));
  assertEquals(log, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
});

Deno.test("Turn asks for none where there are few messages, or one connection", async () => {
  const [one, other] = [new Turn(), new Turn()];
  assertEquals(one.take(31), undefined);
  await other.take(1000);
  assertEquals(other.take(1000), undefined);
  assert(one.take(32) instanceof Promise);
  await one.take(1000);
});

Deno.test("Channel hands out many messages of one connection before those of another", async () => {
  const pairs = await Promise.all(
    Array.from({ length: 4 }, () => channelsOver(memoryEnds())),
  );
  const count = 20_000;
  const log: number[] = [];
  await Promise.all(pairs.flatMap(({ near, far }, i) => [
    (async () => {
      for (let n = 0; n < count; n++) await near.send(noise(64));
    })(),
    (async () => {
      for (let n = 0; n < count; n++) {
        await far.recv();
        log.push(i);
      }
    })(),
  ]));
  const switches = log.filter((i, at) => at > 0 && i !== log[at - 1]).length;
  // The first chunks are taken in turns; then there would be nearly as many as messages.
  assertLess(switches, log.length / 10);
  for (const { near, far } of pairs) {
    await Promise.all([near.close(), far.close()]);
  }
});
