import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { Turn } from "../../channels/_turn.ts";
import { Channel } from "../../channels/channel.ts";
import { StreamError } from "../../errors.ts";
import {
  channelsOver,
  frameOf,
  isPending,
  manualPair,
  memoryEnds,
  noise,
  settle,
} from "./_support.ts";

Deno.test("Turn gives each of several connections with many messages a turn of its own", async () => {
  const turns = [new Turn(), new Turn(), new Turn()];
  const log: number[] = [];
  await Promise.all(turns.map(async (turn, i) => {
    await turn.take(1000, 0);
    for (let step = 0; step < 3; step++) {
      log.push(i);
      await Promise.resolve();
    }
  }));
  assertEquals(log, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
});

Deno.test("Turn asks for none where there are few messages, or one connection", async () => {
  const [one, other] = [new Turn(), new Turn()];
  assertEquals(one.take(31, 0), undefined);
  await other.take(1000, 0);
  assertEquals(other.take(1000, 0), undefined);
  assert(one.take(32, 0) instanceof Promise);
  await one.take(1000, 0);
});

Deno.test("Turn is no other's by the time that it comes", async () => {
  const turns = [new Turn(), new Turn(), new Turn()];
  await Promise.all(turns.map(async (turn) => {
    await turn.take(1000, 0);
    assertEquals(turn.take(1000, 0), undefined);
    assertEquals(turn.send(1000), undefined);
  }));
});

Deno.test("Turn is one for all that wait for it", async () => {
  const [one, other] = [new Turn(), new Turn()];
  await other.take(1000, 0);
  const coming = one.take(1000, 0);
  assert(coming instanceof Promise);
  assert(one.take(1, 0) === coming);
  assert(one.send(1) === coming);
  await coming;
});

Deno.test("Turn is asked for by many messages that are sent in that of another", async () => {
  const [one, other] = [new Turn(), new Turn()];
  await other.take(1000, 0);
  assertEquals(one.send(31), undefined);
  const coming = one.send(32);
  assert(coming instanceof Promise);
  await coming;
});

Deno.test("Turn leaves what else is due its place between two turns", async () => {
  const log: string[] = [];
  await Promise.all(["one", "two", "three"].map(async (name) => {
    await new Turn().take(1000, 0);
    log.push(name);
    if (name === "one") setImmediate(() => log.push("other"));
  }));
  assertEquals(log, ["one", "two", "other", "three"]);
});

Deno.test("Turn is over after a while, as others may have become busy", async () => {
  const [one, other] = [new Turn(), new Turn()];
  await one.take(1000, 0);
  assertEquals(one.take(1000, 0), undefined);
  const start = performance.now();
  while (performance.now() < start + 1); // A turn has 0.5 ms.
  assertEquals(one.take(31, 0), undefined);
  const coming = one.take(1000, 0);
  assert(coming instanceof Promise);
  await other.take(1000, 0); // It came first.
  assert(one.take(1, 0) === undefined);
  await coming;
});

function switches(log: readonly number[]): number {
  return log.filter((i, at) => at > 0 && i !== log[at - 1]).length;
}

Deno.test("Channel sends many messages of one connection before those of another, from the first", async () => {
  const pairs = await Promise.all(
    Array.from({ length: 4 }, () => channelsOver(memoryEnds())),
  );
  const log: number[] = [];
  await Promise.all(pairs.map(async ({ near }, i) => {
    for (let n = 0; n < 900; n++) { // Less than the high water mark.
      await near.send(noise(64));
      log.push(i);
    }
  }));
  assertLess(switches(log), log.length / 10);
  for (const { near, far } of pairs) {
    await Promise.all([near.close(), far.close()]);
  }
});

Deno.test("Channel hands out what arrives for several at once one connection after the other", async () => {
  const frames = concat(Array.from({ length: 900 }, () => frameOf(noise(64))));
  const pairs = Array.from({ length: 4 }, () => manualPair());
  const channels = pairs.map((pair) => new Channel(pair));
  const log: number[] = [];
  const received = channels.map(async (channel, i) => {
    for (let n = 0; n < 900; n++) {
      await channel.recv();
      log.push(i);
    }
  });
  for (const { source } of pairs) source.enqueue(frames);
  await Promise.all(received);
  // But for the message that each was waiting for.
  assertLess(switches(log), 3 * pairs.length);
  for (const channel of channels) channel.abort();
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
  assertLess(switches(log), log.length / 100);
  for (const { near, far } of pairs) {
    assertLess(near.stats.writes, 30); // Full chunks, of which there are 22.
    await Promise.all([near.close(), far.close()]);
  }
});

Deno.test("Channel leaves timers their place while much is sent in memory", async () => {
  const { near, far } = await channelsOver(memoryEnds());
  const message = noise(65_536);
  let due = false;
  const timer = setTimeout(() => due = true, 0);
  const received = (async () => {
    while (await far.recv() !== null);
  })();
  let sent = 0;
  for (; sent < 20_000 && !due; sent++) await near.send(message);
  clearTimeout(timer);
  assertLess(sent, 20_000);
  await Promise.all([near.close(), received]);
  await far.close();
});

function nextRound(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Two ends of a bare connection, so that only the runtime reads. */
async function connsOverTcp() {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [near, far] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  return {
    near,
    far,
    [Symbol.asyncDispose]() {
      near.close();
      far.close();
      return Promise.resolve();
    },
  };
}

/** Has `count` turns to come before any that is asked for later; settles with the last. */
async function othersFirst(count: number, busyFor = 0): Promise<void> {
  await Promise.all(Array.from({ length: count }, async () => {
    await new Turn().take(1000, 0);
    const start = performance.now();
    while (performance.now() < start + busyFor);
  }));
}

Deno.test("Turns in which much is done let the runtime look for what has arrived", async () => {
  await using pair = await connsOverTcp();
  const others = othersFirst(100, 5);
  const read = pair.far.read(new Uint8Array(1));
  await nextRound();
  const start = performance.now();
  await pair.near.write(new Uint8Array(1));
  await read;
  assertLess(performance.now() - start, 200); // In 61 rounds it would take 305 ms.
  await others;
});

Deno.test("Channel leaves timers their place while there is a ping-pong in memory", async () => {
  const { near, far } = await channelsOver(memoryEnds());
  let due = false;
  const timer = setTimeout(() => due = true, 0);
  const start = performance.now();
  while (performance.now() < start + 1000 && !due) {
    await near.send(noise(1));
    await far.recv();
    const begun = performance.now();
    while (performance.now() < begun + 1); // Some work for each message.
  }
  clearTimeout(timer);
  assert(due);
  await Promise.all([near.close(), far.close()]);
});

Deno.test("Turn comes even if a test replaces setImmediate", async () => {
  const original = globalThis.setImmediate;
  globalThis.setImmediate = (() => {}) as unknown as typeof setImmediate;
  try {
    await new Turn().take(1000, 0);
  } finally {
    globalThis.setImmediate = original;
  }
});

Deno.test("Channel hands out what waits for its turn when it fails", async () => {
  const pair = manualPair({ write: () => Promise.reject(new Error("gone")) });
  const channel = new Channel(pair);
  const others = othersFirst(50);
  const frames = Array.from({ length: 900 }, () => frameOf(noise(64)));
  pair.source.enqueue(concat(frames));
  await settle();
  await channel.send(noise(1));
  assert(await channel.finished);
  for (let n = 0; n < 900; n++) assertEquals(await channel.recv(), noise(64));
  await assertRejects(() => channel.recv(), StreamError);
  await others;
});

Deno.test("Channel asks for no turn for what it drops, nor when there is nothing more to send", async () => {
  const pair = manualPair();
  const channel = new Channel(pair);
  const others = othersFirst(400);
  const sent = channel.send(noise(100_000)).then(() => channel.flush());
  assert(!await isPending(sent));
  const closed = channel.close();
  await settle();
  const { pulls } = pair;
  pair.source.enqueue(noise(65_536).fill(0));
  await settle();
  assertLess(pulls, pair.pulls);
  pair.source.close();
  await closed;
  await others;
});

Deno.test("Channel that waits for its turn does not count as stalled", async () => {
  const pair = manualPair();
  const channel = new Channel(pair, { stallTimeout: 100 });
  const message = noise(100_000);
  const frame = frameOf(message);
  const others = othersFirst(300, 2);
  pair.source.enqueue(frame.slice(0, 50_000));
  await others;
  pair.source.enqueue(frame.slice(50_000));
  assertEquals(await channel.recv(), message);
  channel.abort();
});
