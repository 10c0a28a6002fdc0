import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { Channel } from "@sluice/sluice";
import {
  frameOf,
  isPending,
  manualPair,
  noise,
  reasonOf,
  settle,
} from "./_support.ts";

Deno.test("Channel.poll() tells at once whether a message is there", async () => {
  const pair = manualPair();
  await using channel = new Channel(pair);
  assertEquals(await channel.poll(), false);
  pair.source.enqueue(frameOf(noise(0)));
  await settle();
  assertEquals(await channel.poll(), true);
  assertEquals(await channel.poll(1000), true);
  assertEquals(await channel.recv(), noise(0)); // It took nothing.
  assertEquals(await channel.poll(), false);
});

Deno.test("Channel.poll() takes a message for there when it is whole, not before", async () => {
  const pair = manualPair();
  await using channel = new Channel(pair);
  const frame = frameOf(noise(4));
  pair.source.enqueue(frame.slice(0, -1));
  await settle();
  assertEquals(await channel.poll(), false);
  pair.source.enqueue(frame.slice(-1));
  await settle();
  assertEquals(await channel.poll(), true);
});

Deno.test("Channel.poll() waits for a message as long as it is told", async () => {
  const pair = manualPair();
  await using channel = new Channel(pair);
  const start = performance.now();
  assertEquals(await channel.poll(30), false);
  assertLess(29, performance.now() - start);
  const polled = [channel.poll(60_000), channel.poll(Infinity)];
  assert(await isPending(Promise.race(polled)));
  pair.source.enqueue(frameOf(noise(4)));
  assertEquals(await Promise.all(polled), [true, true]);
});

Deno.test("Channel.poll() waits on when a recv() takes the message that woke it", async () => {
  const pair = manualPair();
  await using channel = new Channel(pair);
  const received = channel.recv();
  const polled = channel.poll(60_000);
  pair.source.enqueue(frameOf(noise(4)));
  assertEquals(await received, noise(4));
  assert(await isPending(polled));
  pair.source.enqueue(frameOf(noise(5)));
  assertEquals(await polled, true);
});

Deno.test("Channel.poll() is true at the end, where recv() would not wait", async () => {
  const pair = manualPair();
  await using channel = new Channel(pair);
  const polled = channel.poll(Infinity);
  pair.source.close();
  assertEquals(await polled, true);
  assertEquals(await channel.poll(), true);
  assertEquals(await channel.recv(), null);
});

Deno.test("Channel.poll() is true for what arrived before a failure, and rejects after it", async () => {
  const pair = manualPair();
  const channel = new Channel(pair);
  pair.source.enqueue(frameOf(noise(4)));
  await settle();
  pair.source.error(new Error("no carrier"));
  await settle();
  assertEquals(await channel.poll(), true);
  assertEquals(await channel.poll(100), true);
  assertEquals(await channel.recv(), noise(4));
  const reason = await reasonOf(channel.recv());
  assertStrictEquals(await reasonOf(channel.poll()), reason);
  assertStrictEquals(await reasonOf(channel.poll(100)), reason);
});

Deno.test("Channel.poll() gives up with the signal's reason and leaves no timer", async () => {
  await using channel = new Channel(manualPair());
  const reason = new Error("enough");
  const controller = new AbortController();
  const polled = [60_000, Infinity].map((timeout) =>
    channel.poll(timeout, { signal: controller.signal })
  );
  controller.abort(reason);
  for (const call of polled) assertStrictEquals(await reasonOf(call), reason);
  const { signal } = controller;
  assertStrictEquals(await reasonOf(channel.poll(0, { signal })), reason);
});

Deno.test("Channel.poll() refuses a timeout that is none", async () => {
  await using channel = new Channel(manualPair());
  for (const timeout of [-1, NaN]) {
    await assertRejects(
      () => channel.poll(timeout),
      RangeError,
      "timeout must be >= 0",
    );
  }
});

Deno.test("Channel.poll() takes a timeout beyond what a timer can do for for ever", async () => {
  const pair = manualPair();
  await using channel = new Channel(pair);
  const polled = channel.poll(2 ** 31); // The platform would fire at once.
  assert(await isPending(polled));
  pair.source.enqueue(frameOf(noise(1)));
  assertEquals(await polled, true);
});
