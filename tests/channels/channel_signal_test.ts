import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { Channel } from "@sluice/sluice";
import {
  frameOf,
  isPending,
  manualPair,
  noise,
  reasonOf,
  settle,
} from "./_support.ts";

/** A channel whose stream takes one write at a time, when told to. */
function slowChannel(highWaterMark: number) {
  let release = () => {};
  const pair = manualPair({
    write: () => new Promise((resolve) => release = resolve),
  });
  const channel = new Channel(pair, { highWaterMark });
  return { pair, channel, release: () => release() };
}

Deno.test("Channel withdraws a message that still waits for its turn when the signal aborts", async () => {
  const { pair, channel, release } = slowChannel(100);
  const reason = new Error("enough");
  const controllers = [1, 2, 3, 4, 5].map(() => new AbortController());
  const sent = controllers.map(({ signal }, n) =>
    channel.send(noise(100 + n), { signal })
  );
  await settle();
  assert(await isPending(sent[2]!));
  controllers[2]!.abort(reason);
  assertStrictEquals(await reasonOf(sent[2]!), reason);
  const closed = channel.close();
  for (let n = 0; n < 8; n++) {
    release();
    await settle();
  }
  await Promise.all([...sent.toSpliced(2, 1), closed]);
  assertEquals(
    concat(pair.written),
    concat([100, 101, 103, 104].map((n) => frameOf(noise(n)))),
  );
  assertEquals(channel.stats.messagesSent, 4);
});

Deno.test("Channel takes messages again once the last that waited was withdrawn", async () => {
  const { pair, channel, release } = slowChannel(100);
  const controller = new AbortController();
  await channel.send(noise(50));
  await channel.send(noise(60));
  const waiting = channel.send(noise(1), controller);
  controller.abort();
  await reasonOf(waiting);
  const next = channel.send(noise(2));
  for (let n = 0; n < 4; n++) {
    release();
    await settle();
  }
  await next;
  const closed = channel.close();
  for (let n = 0; n < 4; n++) {
    release();
    await settle();
  }
  await closed;
  assertEquals(
    concat(pair.written),
    concat([50, 60, 2].map((n) => frameOf(noise(n)))),
  );
});

Deno.test("Channel sends a message whose signal aborts after it was accepted", async () => {
  const pair = manualPair();
  const channel = new Channel(pair);
  const controller = new AbortController();
  await channel.send(noise(3), controller);
  controller.abort();
  await channel.flush();
  assertEquals(pair.written, [frameOf(noise(3))]);
  await channel.close();
});

Deno.test("Channel refuses to send or receive with a signal that has aborted", async () => {
  const pair = manualPair();
  const channel = new Channel(pair);
  pair.source.enqueue(frameOf(noise(3)));
  await settle();
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  assertStrictEquals(
    await reasonOf(channel.send(noise(1), { signal })),
    reason,
  );
  assertStrictEquals(await reasonOf(channel.recv({ signal })), reason);
  assertEquals(await channel.recv(), noise(3));
  assertEquals(channel.stats.messagesSent, 0);
  await channel.close();
});

Deno.test("Channel loses no message to a recv() that is aborted", async () => {
  const pair = manualPair();
  const channel = new Channel(pair);
  const reason = new Error("enough");
  const controllers = [1, 2, 3].map(() => new AbortController());
  const received = controllers.map(({ signal }) => channel.recv({ signal }));
  controllers[1]!.abort(reason);
  assertStrictEquals(await reasonOf(received[1]!), reason);
  for (let n = 0; n < 3; n++) pair.source.enqueue(frameOf(noise(n)));
  assertEquals(await received[0], noise(0));
  assertEquals(await received[2], noise(1));
  assertEquals(await channel.recv(), noise(2));
  controllers[0]!.abort(); // Too late to matter.
  await channel.close();
});

Deno.test("Channel loses no message when the signal aborts as it arrives", async () => {
  const pair = manualPair();
  const channel = new Channel(pair);
  const got: number[] = [];
  for (let n = 0; n < 100; n++) {
    const controller = new AbortController();
    const received = channel.recv(controller);
    pair.source.enqueue(frameOf(noise(n)));
    for (let hop = 0; hop < n % 12; hop++) await Promise.resolve();
    controller.abort();
    const message = await received.catch(() => undefined);
    got.push((message ?? await channel.recv())!.byteLength);
  }
  assertEquals(got, Array.from({ length: 100 }, (_, n) => n));
  await channel.close();
});

Deno.test("Channel leaves no listener on a signal that lives longer than the call", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  const { pair, channel, release } = slowChannel(10);
  const sent = [1, 2, 3].map((n) => channel.send(noise(n * 10), { signal }));
  const received = channel.recv({ signal });
  const polled = channel.poll(60_000, { signal });
  await settle();
  assert(listeners > 0);
  pair.source.enqueue(frameOf(noise(3)));
  pair.source.enqueue(frameOf(noise(4)));
  await received;
  await polled;
  for (let n = 0; n < 6; n++) {
    release();
    await settle();
  }
  await Promise.all(sent);
  await settle();
  assertEquals(listeners, 0);
  channel.abort();
});
