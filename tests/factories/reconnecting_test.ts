import {
  assert,
  assertEquals,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Channel,
  connect,
  ConnectionLostError,
  EncryptionError,
  PipeStream,
  reconnecting,
  type ReconnectingOptions,
  serve,
  StreamTimeoutError,
} from "@sluice/sluice";
import { ask, bytes, echo, Log, text } from "./_support.ts";

/** Makes channels in memory, whose other ends the test holds. */
class Factory {
  readonly near = new Log<Channel>();
  readonly far = new Log<Channel>();

  readonly connect = (): Promise<Channel> => {
    const [near, far] = PipeStream.createPair();
    this.near.add(new Channel(near));
    this.far.add(new Channel(far));
    return Promise.resolve(this.near.at(-1));
  };
}

/** Records how long timers were meant to take, and lets them fire at once. */
function recordPauses(): Disposable & { readonly pauses: number[] } {
  const { setTimeout } = globalThis;
  const pauses: number[] = [];
  globalThis.setTimeout = ((callback: () => void, time: number) => {
    pauses.push(time);
    return setTimeout(callback, 0);
  }) as typeof setTimeout;
  return {
    pauses,
    [Symbol.dispose]: () => {
      globalThis.setTimeout = setTimeout;
    },
  };
}

const refuse = () => Promise.reject(new ConnectionLostError("refused"));

Deno.test("reconnecting gives a new channel after each loss, and closes the one before", async () => {
  const factory = new Factory();
  const seen: Channel[] = [];
  const channels = reconnecting(factory.connect, { minDelay: 1 });
  for await (const channel of channels) {
    assert(seen.every((before) => before.closed));
    seen.push(channel);
    assert(!channel.closed);
    await factory.far.at(-1).send(bytes(`${seen.length}`));
    assertEquals(text(await channel.recv()), `${seen.length}`);
    if (seen.length === 1) factory.far.at(0).abort();
    if (seen.length === 2) await factory.far.at(1).close();
    // The third is given up by us while it is in order.
    if (seen.length === 4) break;
  }
  assertEquals(seen, factory.near.items);
  for (const end of [...factory.near.items, ...factory.far.items]) {
    await end.close();
    assert(end.closed);
  }
});

Deno.test("leaving the loop of reconnecting closes the channel, whether by break or by an error", async () => {
  for (const failure of [undefined, new Error("enough")]) {
    const factory = new Factory();
    const leaving = (async () => {
      for await (const _channel of reconnecting(factory.connect)) {
        if (failure) throw failure;
        break;
      }
    })();
    if (failure) await assertRejects(() => leaving, Error, "enough");
    else await leaving;
    assert(factory.near.at(0).closed);
    await factory.far.at(0).close();
  }
});

Deno.test("reconnecting resends nothing", async () => {
  const factory = new Factory();
  const channels = reconnecting(factory.connect, { minDelay: 1 });
  const { value: first } = await channels.next();
  await first!.send(bytes("lost"));
  factory.far.at(0).abort();
  const { value: second } = await channels.next();
  assertNotStrictEquals(first, second);
  await second!.send(bytes("kept"));
  assertEquals(text(await factory.far.at(1).recv()), "kept");
  await channels.return(undefined);
  await factory.far.at(1).close();
});

Deno.test("reconnecting doubles its pauses up to maxDelay, and gives up after maxAttempts", async () => {
  using clock = recordPauses();
  let attempts = 0;
  const channels = reconnecting(
    () => {
      attempts++;
      return refuse();
    },
    { minDelay: 100, maxDelay: 1000, jitter: 0, maxAttempts: 7 },
  );
  await assertRejects(() => channels.next(), ConnectionLostError, "refused");
  assertEquals(attempts, 7);
  assertEquals(clock.pauses, [100, 200, 400, 800, 1000, 1000]);
  assertEquals(await channels.next(), { done: true, value: undefined });
});

Deno.test("reconnecting shortens its pauses at random, by jitter", async () => {
  using clock = recordPauses();
  const options = { minDelay: 1000, maxDelay: 1000, maxAttempts: 201 };
  for (const jitter of [1, 0.25]) {
    const channels = reconnecting(refuse, { ...options, jitter });
    await assertRejects(() => channels.next(), ConnectionLostError);
    const pauses = clock.pauses.splice(0);
    const [least, most] = [Math.min(...pauses), Math.max(...pauses)];
    assertEquals(pauses.length, 200);
    // Out of range by chance: once in 10^9 runs.
    assert(least >= 1000 * (1 - jitter) && least < 1000 * (1 - 0.9 * jitter));
    assert(most <= 1000 && most > 1000 * (1 - 0.1 * jitter));
  }
});

Deno.test("a channel that is lost early counts as a failure, one that lasted starts afresh", async () => {
  const cases: [resetAfter: number, pauses: number[]][] = [
    [60_000, [777, 1554, 3108]],
    [0, [777, 777, 777, 777]],
  ];
  for (const [resetAfter, pauses] of cases) {
    const factory = new Factory();
    using clock = recordPauses();
    const channels = reconnecting(
      factory.connect,
      { minDelay: 777, jitter: 0, resetAfter, maxAttempts: 4 },
    );
    const error = await (async () => {
      for await (const channel of channels) {
        await factory.far.at(-1).close();
        assertEquals(await channel.recv(), null);
        await channel.close();
        if (factory.near.items.length === 5) return;
      }
    })().catch((error) => error);
    // Channels have timers of their own.
    const recorded = clock.pauses.filter((pause) => pause % 777 === 0);
    assertEquals(recorded, pauses);
    if (resetAfter === 0) assertEquals(error, undefined);
    else assert(error instanceof ConnectionLostError);
  }
});

Deno.test("reconnecting does not try again what cannot pass, unless it is told to", async () => {
  for (const failure of [new TypeError("misuse"), new EncryptionError("key")]) {
    let attempts = 0;
    const connect = () => {
      attempts++;
      return Promise.reject(failure);
    };
    const once = reconnecting(connect);
    assertStrictEquals(await once.next().catch((error) => error), failure);
    assertEquals(attempts, 1);
    const options = { isRetriable: () => true, maxAttempts: 3, minDelay: 1 };
    const thrice = reconnecting(connect, options);
    assertStrictEquals(await thrice.next().catch((error) => error), failure);
    assertEquals(attempts, 4);
  }
  let attempts = 0;
  const passing = reconnecting(() => {
    attempts++;
    return Promise.reject(new StreamTimeoutError("slow"));
  }, { maxAttempts: 2, minDelay: 1 });
  await assertRejects(() => passing.next(), StreamTimeoutError);
  assertEquals(attempts, 2);
});

Deno.test("the signal of reconnecting ends its pause, its connect and its channel", async () => {
  const reason = new Error("enough");

  const pausing = new AbortController();
  const paused = reconnecting(() => {
    queueMicrotask(() => setTimeout(() => pausing.abort(reason), 5));
    return refuse();
  }, { signal: pausing.signal, minDelay: 60_000, jitter: 0 });
  assertStrictEquals(await paused.next().catch((error) => error), reason);

  const connecting = new AbortController();
  const pending = reconnecting((signal) => {
    const { promise, reject } = Promise.withResolvers<Channel>();
    signal!.addEventListener("abort", () => reject(new TypeError("given up")));
    queueMicrotask(() => connecting.abort(reason));
    return promise;
  }, { signal: connecting.signal });
  assertStrictEquals(await pending.next().catch((error) => error), reason);

  const using = new AbortController();
  const factory = new Factory();
  const failure = await (async () => {
    const { signal } = using;
    for await (const channel of reconnecting(factory.connect, { signal })) {
      const receiving = channel.recv();
      using.abort(reason);
      await receiving;
    }
  })().catch((error) => error);
  assertStrictEquals(failure, reason);
  assert(factory.near.at(0).closed);
  await factory.far.at(0).close();

  const late = reconnecting((signal) => {
    assert(signal);
    return factory.connect();
  }, { signal: AbortSignal.abort(reason) });
  assertStrictEquals(await late.next().catch((error) => error), reason);
  assertEquals(factory.near.items.length, 1);
});

Deno.test("a channel that the signal ends is no failed attempt", async () => {
  const abortion = new AbortController();
  const { signal } = abortion;
  const factory = new Factory();
  const channels = reconnecting(factory.connect, { signal, maxAttempts: 1 });
  await channels.next();
  const reason = new Error("enough");
  abortion.abort(reason);
  assertStrictEquals(await channels.next().catch((error) => error), reason);
  await factory.far.at(0).close();
});

Deno.test("a channel that is made although the signal has aborted is closed", async () => {
  const reason = new Error("enough");
  const abortion = new AbortController();
  const factory = new Factory();
  const channels = reconnecting(() => {
    abortion.abort(reason);
    return factory.connect();
  }, { signal: abortion.signal });
  assertStrictEquals(await channels.next().catch((error) => error), reason);
  assert(factory.near.at(0).closed);
  await factory.far.at(0).close();
});

Deno.test("reconnecting refuses wrong options at once", () => {
  const cases: ReconnectingOptions[] = [
    { maxAttempts: 0 },
    { minDelay: -1 },
    { maxDelay: NaN },
    { jitter: 2 },
    { resetAfter: -1 },
  ];
  for (const options of cases) {
    assertThrows(() => reconnecting(refuse, options), RangeError);
  }
});

Deno.test("reconnecting finds a server that restarts", async () => {
  let server = serve({ port: 0, shutdownTimeout: 1 }, echo);
  const { port } = server.addr;
  const channels = reconnecting(
    (signal) => connect({ port, signal }),
    { minDelay: 1, maxDelay: 5, maxAttempts: 1000 },
  );
  const answers: (string | null)[] = [];
  for await (const channel of channels) {
    answers.push(await ask(channel, `${answers.length}`));
    if (answers.length === 3) break;
    await server.shutdown();
    server = serve({ port, shutdownTimeout: 1 }, echo);
  }
  assertEquals(answers, ["0", "1", "2"]);
  await server.shutdown();
});
