import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Channel,
  type ChannelOptions,
  ChannelPool,
  connect,
  ConnectionLostError,
  EncryptedChannel,
  PipeStream,
  serve,
  StreamClosedError,
} from "@sluice/sluice";
import { ask, bytes, echo, Log, text } from "./_support.ts";

/** Makes channels in memory, whose other ends the test holds. */
class Factory implements AsyncDisposable {
  readonly far = new Log<Channel>();
  readonly near = new Log<Channel>();

  constructor(
    readonly options: ChannelOptions = {},
    readonly key?: Uint8Array,
  ) {}

  readonly connect = (): Promise<Channel> => {
    const [near, far] = PipeStream.createPair({ bufferSize: 1000 });
    this.far.add(this.#open(far));
    this.near.add(this.#open(near, this.options));
    return Promise.resolve(this.near.at(-1));
  };

  #open(stream: PipeStream, options?: ChannelOptions): Channel {
    return this.key
      ? new EncryptedChannel(stream, this.key, options)
      : new Channel(stream, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = [...this.near.items, ...this.far.items];
    await Promise.all(ends.map((end) => end.close()));
  }
}

/** How a `connect` went that the test settles itself. */
interface Attempt {
  readonly signal: AbortSignal;
  readonly succeed: (channel: Channel) => void;
  readonly fail: (error: unknown) => void;
}

/** A pool whose every `connect` the test settles itself. */
function manualPool(
  size: number,
): { pool: ChannelPool; attempts: Log<Attempt> } {
  const attempts = new Log<Attempt>();
  const pool = new ChannelPool({
    size,
    connect: (signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<Channel>();
      attempts.add({ signal, succeed: resolve, fail: reject });
      return promise;
    },
  });
  return { pool, attempts };
}

/** Lets everything happen that can. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("ChannelPool never has more than size channels, and uses them again", async () => {
  let active = 0;
  let most = 0;
  let total = 0;
  await using server = serve({ port: 0 }, async (channel) => {
    total++;
    most = Math.max(most, ++active);
    await echo(channel);
    active--;
  });
  await using pool = new ChannelPool({
    connect: (signal) => connect({ port: server.addr.port, signal }),
    size: 3,
  });
  await Promise.all(Array.from({ length: 50 }, async (_, i) => {
    await using lease = await pool.acquire();
    assert(pool.stats.leased <= 3);
    assertEquals(await ask(lease.channel, `${i}`), `${i}`);
  }));
  assertEquals([most, total], [3, 3]);
  assertEquals(pool.stats, { idle: 3, leased: 0, connecting: 0, waiting: 0 });
});

Deno.test("ChannelPool serves who waits first come, first served", async () => {
  await using factory = new Factory();
  await using pool = new ChannelPool({ connect: factory.connect, size: 1 });
  const order: number[] = [];
  const first = await pool.acquire();
  const tasks = Array.from({ length: 10 }, async (_, i) => {
    await using _lease = await pool.acquire();
    order.push(i);
    await turn();
  });
  assertEquals(pool.stats.waiting, 10);
  await first.release();
  await Promise.all(tasks);
  assertEquals(order, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals(factory.near.items.length, 1);
});

Deno.test("ChannelPool takes the channel that was used last", async () => {
  await using factory = new Factory();
  await using pool = new ChannelPool({ connect: factory.connect, size: 2 });
  const [a, b] = [await pool.acquire(), await pool.acquire()];
  const last = a.channel;
  await b.release();
  await a.release();
  await using again = await pool.acquire();
  assertStrictEquals(again.channel, last);
});

Deno.test("ChannelPool does not use a channel again that has unread messages", async () => {
  await using factory = new Factory();
  await using pool = new ChannelPool({ connect: factory.connect, size: 1 });
  const lease = await pool.acquire();
  const { channel } = lease;
  await factory.far.at(0).send(bytes("a late reply"));
  assert(await channel.poll(1000));
  await lease.release();
  assert(channel.closed);
  await using next = await pool.acquire();
  assertNotStrictEquals(next.channel, channel);
});

Deno.test("ChannelPool drops an idle channel when a message arrives", async () => {
  await using factory = new Factory();
  await using pool = new ChannelPool({ connect: factory.connect, size: 1 });
  await (await pool.acquire()).release();
  assertEquals(pool.stats.idle, 1);
  await factory.far.at(0).send(bytes("a late reply"));
  await factory.near.at(0).finished;
  assertEquals(pool.stats.idle, 0);
  await using lease = await pool.acquire();
  assertStrictEquals(lease.channel, factory.near.at(1));
});

Deno.test("ChannelPool lets leave what was sent, and then uses the channel again", async () => {
  await using factory = new Factory();
  await using pool = new ChannelPool({ connect: factory.connect, size: 1 });
  for (const word of ["one", "two"]) {
    await using lease = await pool.acquire();
    await lease.channel.send(bytes(word)); // Accepted, not sent.
  }
  assertEquals(factory.near.items.length, 1);
  assertEquals(text(await factory.far.at(0).recv()), "one");
  assertEquals(text(await factory.far.at(0).recv()), "two");
});

Deno.test("ChannelPool does not use a channel again whose peer does not read", async () => {
  await using factory = new Factory({ closeTimeout: 50 });
  let open = 0;
  await using pool = new ChannelPool({
    size: 1,
    connect: async () => {
      assertEquals(open++, 0); // A place is free when the channel is closed.
      const channel = await factory.connect();
      channel.finished.then(() => open--);
      return channel;
    },
  });
  const lease = await pool.acquire();
  // More than both boxes and the pipe hold.
  for (let i = 0; i < 5; i++) {
    const signal = AbortSignal.timeout(50);
    await lease.channel.send(new Uint8Array(60_000), { signal }).catch(
      () => {},
    );
  }
  assert(lease.channel.stats.queuedBytes > 0);
  const releasing = lease.release(); // Gives it a second.
  while (!factory.near.at(0).closed) await turn();
  const acquiring = pool.acquire();
  await releasing;
  await using next = await acquiring;
  assertStrictEquals(next.channel, factory.near.at(1));
});

Deno.test("ChannelPool does not use a channel again whose encryption holds what was sent", async () => {
  const key = crypto.getRandomValues(new Uint8Array(32));
  await using factory = new Factory({ closeTimeout: 50 }, key);
  await using pool = new ChannelPool({ connect: factory.connect, size: 1 });
  const lease = await pool.acquire();
  const { channel } = lease;
  // Until the peer, which receives nothing, takes no more.
  const leaves = () =>
    deadline(channel.flush(), 300).then(() => true, () => false);
  do {
    await channel.send(new Uint8Array(60_000));
  } while (await leaves());
  await lease.release();
  assert(channel.closed);
  assertEquals(pool.stats.idle, 0);
});

Deno.test("ChannelPool lets leave what a batch holds, and then uses the channel again", async () => {
  const batching = { size: 1000, timeout: 60_000 };
  await using factory = new Factory({ batching });
  await using pool = new ChannelPool({ connect: factory.connect, size: 1 });
  const lease = await pool.acquire();
  const { channel } = lease;
  await channel.send(bytes("one"));
  await turn();
  assertEquals(channel.stats.bytesSent, 0);
  await lease.release();
  assert(channel.stats.bytesSent > 0);
  assertEquals(text(await factory.far.at(0).recv()), "one");
  assertEquals(pool.stats.idle, 1);
});

for (const how of ["close", "abort"] as const) {
  Deno.test(`ChannelPool does not use a channel again after ${how}()`, async () => {
    await using factory = new Factory();
    await using pool = new ChannelPool({ connect: factory.connect, size: 1 });
    const lease = await pool.acquire();
    await lease.channel[how]();
    await lease.release();
    assertEquals(pool.stats, { idle: 0, leased: 0, connecting: 0, waiting: 0 });
    await using next = await pool.acquire();
    assertStrictEquals(next.channel, factory.near.at(1));
  });
}

Deno.test("ChannelPool drops an idle channel when its peer goes away", async () => {
  await using server = serve({ port: 0 }, (channel) => channel.recv());
  const { port } = server.addr;
  const made: Channel[] = [];
  await using pool = new ChannelPool({
    connect: async (signal) => {
      made.push(await connect({ port, signal }));
      return made.at(-1)!;
    },
  });
  const lease = await pool.acquire();
  await lease.channel.send(bytes("go away"));
  await lease.release();
  await made[0]!.finished;
  assertEquals(pool.stats.idle, 0);
});

Deno.test("ChannelPool notices that a peer went away while the process was busy", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  await using pool = new ChannelPool({
    connect: (signal) => connect({ port, signal }),
  });
  const accepting = listener.accept();
  const lease = await pool.acquire();
  const { channel } = lease;
  const peer = await accepting;
  await lease.release();
  assertEquals(pool.stats.idle, 1);
  peer.close();
  const until = performance.now() + 60;
  while (performance.now() < until); // No event is seen meanwhile.
  assertEquals(pool.stats.idle, 1);
  await using next = await pool.acquire();
  assertNotStrictEquals(next.channel, channel);
  (await listener.accept()).close();
});

Deno.test("ChannelPool notices that for several who ask at once", async () => {
  await using factory = new Factory();
  await using pool = new ChannelPool({ connect: factory.connect });
  await (await pool.acquire()).release();
  await delay(60);
  factory.far.at(0).abort();
  const leases = await Promise.all([pool.acquire(), pool.acquire()]);
  for (const { channel } of leases) {
    assertNotStrictEquals(channel, factory.near.at(0));
  }
  for (const lease of leases) await lease.release();
});

Deno.test("ChannelPool closes a channel that was idle for idleTimeout, not one in use", async () => {
  await using factory = new Factory();
  const { connect } = factory;
  await using pool = new ChannelPool({ connect, idleTimeout: 20 });
  const [idle, used] = [await pool.acquire(), await pool.acquire()];
  await idle.release();
  assertEquals(await factory.near.at(0).finished, undefined);
  assertEquals(pool.stats.idle, 0);
  assert(!used.channel.closed);
  await used.release();
  assertEquals(pool.stats.idle, 1); // And its timer ends with the pool.
});

Deno.test("ChannelPool closes a channel that has reached maxAge, once it is idle", async () => {
  await using factory = new Factory();
  const { connect } = factory;
  await using pool = new ChannelPool({ connect, maxAge: 200 });
  const old = await pool.acquire();
  const until = performance.now() + 201;
  while (performance.now() < until) await turn();
  assert(!old.channel.closed);
  await old.release();
  assert(factory.near.at(0).closed);

  await (await pool.acquire()).release();
  assertEquals(pool.stats.idle, 1);
  assertEquals(await factory.near.at(1).finished, undefined);
  assertEquals(pool.stats.idle, 0);
});

Deno.test("ChannelPool tells the longest waiting of a failed connect, which costs no place", async () => {
  await using factory = new Factory();
  const { pool, attempts } = manualPool(1);
  for (let i = 0; i < 3; i++) {
    const failure = new ConnectionLostError(`refused ${i}`);
    const acquiring = assertRejects(
      () => pool.acquire(),
      ConnectionLostError,
      `refused ${i}`,
    );
    attempts.at(i).fail(failure);
    await acquiring;
  }
  const [first, second] = [pool.acquire(), pool.acquire()];
  const rejected = assertRejects(() => first, Error, "refused again");
  attempts.at(3).fail(new Error("refused again"));
  await rejected;
  attempts.at(4).succeed(await factory.connect()); // Made for the second.
  await (await second).release();
  assertEquals(attempts.items.length, 5);
  await pool.close();
});

Deno.test("ChannelPool gives a channel to who waits longest, whoever it was made for", async () => {
  await using factory = new Factory();
  const { pool, attempts } = manualPool(2);
  const [first, second] = [pool.acquire(), pool.acquire()];
  attempts.at(1).succeed(await factory.connect());
  const lease = await first;
  assertEquals(pool.stats, { idle: 0, leased: 1, connecting: 1, waiting: 1 });
  await lease.release();
  await (await second).release(); // It need not wait for its own.
  attempts.at(0).succeed(await factory.connect());
  await turn();
  assertEquals(pool.stats, { idle: 2, leased: 0, connecting: 0, waiting: 0 });
  await pool.close();
});

Deno.test("an acquire that is aborted while it waits gives its turn to the next", async () => {
  await using factory = new Factory();
  await using pool = new ChannelPool({ connect: factory.connect, size: 1 });
  const lease = await pool.acquire();
  const abortion = new AbortController();
  const { signal } = abortion;
  const aborted = assertRejects(
    () => pool.acquire({ signal }),
    Error,
    "changed my mind",
  );
  const next = pool.acquire();
  abortion.abort(new Error("changed my mind"));
  await aborted;
  await assertRejects(() => pool.acquire({ signal }), Error, "changed my mind");
  assertEquals(pool.stats.waiting, 1);
  await lease.release();
  await (await next).release();
});

Deno.test("an acquire that is aborted while it connects ends that, and costs no place", async () => {
  await using factory = new Factory();
  const { pool, attempts } = manualPool(1);
  const abortion = new AbortController();
  const { signal } = abortion;
  const aborted = assertRejects(
    () => pool.acquire({ signal }),
    Error,
    "enough",
  );
  assert(!attempts.at(0).signal.aborted);
  abortion.abort(new Error("enough"));
  await aborted;
  assert(attempts.at(0).signal.aborted);

  const next = pool.acquire();
  assertEquals(attempts.items.length, 1); // Its place is not free yet.
  attempts.at(0).fail(attempts.at(0).signal.reason);
  await turn();
  assertEquals(attempts.items.length, 2);
  attempts.at(1).succeed(await factory.connect());
  await (await next).release();
  await pool.close();
});

Deno.test("a connect that comes true although nobody waits any more is not lost", async () => {
  await using factory = new Factory();
  const { pool, attempts } = manualPool(1);
  const abortion = new AbortController();
  const aborted = assertRejects(() =>
    pool.acquire({ signal: abortion.signal })
  );
  abortion.abort();
  await aborted;
  attempts.at(0).succeed(await factory.connect());
  await turn();
  assertEquals(pool.stats.idle, 1);
  await (await pool.acquire()).release();
  assertEquals(attempts.items.length, 1);
  await pool.close();
});

Deno.test("a lease released twice is given back once", async () => {
  await using factory = new Factory();
  await using pool = new ChannelPool({ connect: factory.connect, size: 2 });
  const lease = await pool.acquire();
  await Promise.all([lease.release(), lease.release()]);
  assertEquals(pool.stats, { idle: 1, leased: 0, connecting: 0, waiting: 0 });
  await using one = await pool.acquire();
  await lease.release();
  await lease[Symbol.asyncDispose]();
  await using two = await pool.acquire();
  assertNotStrictEquals(one.channel, two.channel);
  assertEquals(pool.stats.leased, 2);
  assertThrows(() => lease.channel, StreamClosedError, "was released");
});

Deno.test("closing the pool settles whoever waits, and closes what is idle, being made, and later what is in use", async () => {
  await using factory = new Factory();
  const { pool, attempts } = manualPool(3);
  const acquiring = Promise.all([pool.acquire(), pool.acquire()]);
  attempts.at(0).succeed(await factory.connect());
  attempts.at(1).succeed(await factory.connect());
  const [idle, used] = await acquiring;
  await idle.release();
  await using busy = await pool.acquire();
  const connecting = assertRejects(() => pool.acquire(), StreamClosedError);
  const waiting = assertRejects(() => pool.acquire(), StreamClosedError);
  await busy.release();
  // That served the first of the two: one connect is under way, for the other.
  const closing = pool.close();
  attempts.at(2).fail(new Error("told to give up"));
  await closing;
  await Promise.allSettled([connecting, waiting]);
  assert(attempts.at(2).signal.aborted);
  assert(!used.channel.closed);
  await used.release();
  assert(factory.near.at(1).closed);
  await assertRejects(() => pool.acquire(), StreamClosedError);
  await pool.close();
});

Deno.test("a connect that comes true after the pool was closed is closed, which closing waits for", async () => {
  await using factory = new Factory();
  const { pool, attempts } = manualPool(1);
  const acquiring = assertRejects(() => pool.acquire(), StreamClosedError);
  const closing = pool.close();
  await acquiring;
  attempts.at(0).succeed(await factory.connect());
  await closing;
  assert(factory.near.at(0).closed);
  assertEquals(pool.stats.idle, 0);
});

Deno.test("ChannelPool refuses limits that are none", () => {
  const { connect } = new Factory();
  for (
    const options of [
      { size: 0 },
      { size: 1.5 },
      { idleTimeout: -1 },
      { maxAge: NaN },
    ]
  ) {
    assertThrows(() => new ChannelPool({ connect, ...options }), RangeError);
  }
});

Deno.test("ChannelPool outlives a server that restarts under load", async () => {
  let server = serve({ port: 0, shutdownTimeout: 20 }, echo);
  const { port } = server.addr;
  let connected = 0;
  await using pool = new ChannelPool({
    connect: (signal) => {
      connected++;
      return connect({ port, signal, attempts: 20 });
    },
    size: 4,
  });
  let answered = 0;
  let lost = 0;
  const goal = 4 * 200;
  const worker = async (name: number) => {
    for (let i = 0; i < goal / 8; i++) {
      for (let answer; answer === undefined;) {
        await using lease = await pool.acquire();
        const question = `${name}:${i}`;
        try {
          answer = await ask(lease.channel, question) ?? undefined;
          if (answer === undefined) lost++;
          else assertEquals(answer, question);
        } catch (error) {
          assertInstanceOf(error, ConnectionLostError);
          lost++;
        }
        assert(pool.stats.leased <= 4);
      }
      answered++;
    }
  };
  const workers = Promise.all(Array.from({ length: 8 }, (_, i) => worker(i)));
  for (let restarts = 0; restarts < 3; restarts++) {
    while (answered < (restarts + 1) * goal / 5) await turn();
    await server.shutdown();
    server = serve({ port, shutdownTimeout: 20 }, echo);
  }
  await workers;
  assertEquals(answered, goal);
  assert(connected > 4, "it connected anew");
  assert(lost > 0, "something was lost");
  assertEquals(pool.stats.leased, 0);
  await pool.close();
  await server.shutdown();
});

Deno.test("ChannelPool keeps its limit, and loses no place, whatever happens in whatever order", async () => {
  const seed = Number(Deno.env.get("SLUICE_SEED") ?? Date.now() % 2 ** 31);
  console.log(`      SLUICE_SEED=${seed}`);
  let state = seed;
  const random = () => { // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  await using factory = new Factory();
  const size = 3;
  let open = 0;
  await using pool = new ChannelPool({
    size,
    idleTimeout: 5,
    maxAge: 20,
    connect: async (signal) => {
      assert(++open <= size, "too many channels");
      if (random() < 0.3) await turn();
      if (random() < 0.2 || signal.aborted) {
        open--;
        throw new Error("refused");
      }
      const channel = await factory.connect();
      channel.finished.then(() => open--);
      return channel;
    },
  });
  let leases = 0;
  await Promise.all(Array.from({ length: 300 }, async () => {
    for (let n = random() * 5; n > 0; n--) await turn();
    const abortion = new AbortController();
    const acquiring = pool.acquire({ signal: abortion.signal }).catch(() => {});
    if (random() < 0.2) abortion.abort();
    const lease = await acquiring;
    if (!lease) return;
    leases++;
    const fate = random();
    if (fate < 0.2) lease.channel.abort();
    else if (fate < 0.4) await turn();
    else if (fate < 0.5) await lease.channel.send(bytes("x"));
    else if (fate < 0.6) {
      const index = factory.near.items.indexOf(lease.channel);
      const far = factory.far.items[index]!;
      if (random() < 0.5) await far.send(bytes("y"));
      else await far.close();
    }
    await lease.release();
  }));
  assert(leases > 100);
  assertEquals(pool.stats.leased, 0);
  assertEquals(pool.stats.waiting, 0);
  // Every place is still there.
  const all = [];
  while (all.length < size) {
    const lease = await pool.acquire().catch(() => undefined);
    if (lease) all.push(lease);
  }
  for (const lease of all) await lease.release();
});
