import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { deadline } from "@std/async/deadline";
import { TextLineStream } from "@std/streams/text-line-stream";
import { fromFileUrl } from "@std/path/from-file-url";
import {
  type Channel,
  connect,
  ConnectionLostError,
  createSocketStream,
  type ErrorInfo,
  serve,
  type ServeHandler,
  type ServeOptions,
  StreamTimeoutError,
} from "@sluice/sluice";
import { certificateFiles } from "../_certificates.ts";
import { ask, bytes, echo, Log, text } from "./_support.ts";

const KEY = crypto.getRandomValues(new Uint8Array(32));
/** How long a server that has hung is waited for, in milliseconds. */
const PATIENCE = 5000;

Deno.test("serve tells where it listens, and whom a handler serves", async () => {
  const told: Deno.NetAddr[] = [];
  const served = new Log<unknown>();
  await using server = serve(
    { port: 0, onListen: (addr) => told.push(addr) },
    (_, { transport, local, remote, signal }) => {
      served.add([transport, local, remote?.hostname, signal.aborted]);
    },
  );
  assertEquals(told, [server.addr]);
  const { port } = server.addr;
  await using channel = await connect({ port });
  assertEquals(await channel.recv(), null);
  const local = { hostname: "127.0.0.1", port };
  assertEquals(served.items, [["tcp", local, "127.0.0.1", false]]);
});

Deno.test("serve closes the channel when the handler has settled, after what it sent", async () => {
  await using server = serve({ port: 0 }, async (channel) => {
    await channel.send(bytes("welcome"));
    await channel.send(bytes("goodbye"));
  });
  await using channel = await connect({ port: server.addr.port });
  assertEquals(text(await channel.recv()), "welcome");
  assertEquals(text(await channel.recv()), "goodbye");
  assertEquals(await channel.recv(), null);
});

for (const sync of [true, false]) {
  Deno.test(`serve survives a handler that ${sync ? "throws" : "rejects"}: it costs its own channel`, async () => {
    const errors = new Log<[unknown, ErrorInfo]>();
    const failure = new Error("handler failed");
    let calls = 0;
    await using server = serve({
      port: 0,
      onError: (error, info) => errors.add([error, info]),
    }, (channel) => {
      if (calls++ > 0) return echo(channel);
      if (sync) throw failure;
      return channel.recv().then(() => Promise.reject(failure));
    });
    const { port } = server.addr;
    await using unlucky = await connect({ port });
    await unlucky.send(bytes("hello")).catch(() => {});
    await unlucky.recv().catch(() => {}); // An end or a reset.
    await using lucky = await connect({ port });
    assertEquals(await ask(lucky, "still there?"), "still there?");
    const [[error, { phase, info }]] = await errors.atLeast(1);
    assertEquals(error, failure);
    assertEquals([phase, info?.transport], ["handler", "tcp"]);
    await lucky.close();
    await server.shutdown();
    assertEquals(errors.items.length, 1);
  });
}

Deno.test("serve prints what a handler throws, but not that a peer went away", async () => {
  const printed = new Log<unknown>();
  const { error } = console;
  console.error = (message) => printed.add(message);
  try {
    const failure = new Error("handler failed");
    const seen = new Log<unknown>();
    await using server = serve({ port: 0 }, async (channel) => {
      try {
        await echo(channel);
      } catch (error) {
        seen.add(error);
        throw error;
      }
      throw failure;
    });
    const { port } = server.addr;
    await using rude = await createSocketStream("127.0.0.1", port);
    await rude.write(new Uint8Array([0, 0, 0, 9, 0])); // The head of a frame.
    await rude.close();
    assertInstanceOf((await seen.atLeast(1))[0], ConnectionLostError);
    const channel = await connect({ port });
    await channel.close();
    assertEquals(await printed.atLeast(1), [failure]);
    await server.shutdown();
    assertEquals(printed.items, [failure]);
  } finally {
    console.error = error;
  }
});

Deno.test("serve survives an onError that throws, and prints that", async () => {
  const printed = new Log<unknown>();
  const { error } = console;
  console.error = (message) => printed.add(message);
  try {
    const failure = new Error("onError failed");
    await using server = serve({
      port: 0,
      onError: () => {
        throw failure;
      },
    }, () => {
      throw new Error("handler failed");
    });
    await using channel = await connect({ port: server.addr.port });
    await channel.recv().catch(() => {});
    assertEquals(await printed.atLeast(1), [failure]);
  } finally {
    console.error = error;
  }
});

Deno.test("serve takes no more than maxConnections at a time, and the next when one has ended", async () => {
  const started = new Log<number>();
  let active = 0;
  await using server = serve(
    { port: 0, maxConnections: 2 },
    async (channel) => {
      started.add(++active);
      await echo(channel);
      active--;
    },
  );
  const { port } = server.addr;
  const first = await connect({ port });
  await using second = await connect({ port });
  await using third = await connect({ port });
  assertEquals(await ask(first, "1"), "1");
  assertEquals(await ask(second, "2"), "2");
  const answer = ask(third, "3");
  assertEquals(await ask(first, "1"), "1");
  assertEquals(third.stats.messagesReceived, 0);
  assertEquals(started.items, [1, 2]);

  await first.close();
  assertEquals(await answer, "3");
  assertEquals(started.items, [1, 2, 2]);
  await Promise.all([second.close(), third.close()]);
});

Deno.test("serve finishes no TLS handshake beyond maxConnections", async () => {
  await using files = await certificateFiles();
  let active = 0;
  let most = 0;
  await using server = serve({
    port: 0,
    certFile: files.server.cert,
    keyFile: files.server.key,
    maxConnections: 2,
  }, async (channel) => {
    most = Math.max(most, ++active);
    await echo(channel);
    active--;
  });
  const target = { port: server.addr.port, tls: { caCerts: [files.ca] } };
  const connected = new Log<Channel>();
  const connecting = Array.from({ length: 6 }, async () => {
    connected.add(await connect(target));
  });
  const [first] = await connected.atLeast(2);
  for (let i = 0; i < 20; i++) assertEquals(await ask(first, "1"), "1");
  assertEquals(connected.items.length, 2);
  for (let i = 0; i < 6; i++) {
    await connected.atLeast(i + 1);
    const next = connected.at(i);
    assertEquals(await ask(next, "next"), "next");
    await next.close();
  }
  await Promise.all(connecting);
  assertEquals(most, 2);
});

Deno.test("a silent TLS client takes a place of maxConnections, until its deadline", async () => {
  await using files = await certificateFiles();
  const errors = new Log<[unknown, ErrorInfo]>();
  await using server = serve({
    port: 0,
    certFile: files.server.cert,
    keyFile: files.server.key,
    maxConnections: 2,
    handshakeTimeout: 1000,
    onError: (error, info) => errors.add([error, info]),
  }, echo);
  const { port } = server.addr;
  const target = { port, tls: { caCerts: [files.ca] } };
  await using _silent = await createSocketStream("127.0.0.1", port);
  await using second = await connect(target);
  assertEquals(await ask(second, "2"), "2");
  assertEquals(errors.items, []); // Nobody had to wait.
  await using third = await connect(target);
  assertEquals(await ask(third, "3"), "3");
  assertInstanceOf(errors.at(0)[0], StreamTimeoutError);
  await Promise.all([second.close(), third.close()]);
});

Deno.test("serve at maxConnections remembers nothing of connections that have ended", async () => {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--v8-flags=--expose-gc", TURNOVER],
  }).output();
  assert(success);
  assertLess(Number(text(stdout)), 4_000_000);
});

/** Prints by how much the heap grows when 1000 clients come and go beside 100 that stay. */
const TURNOVER = `
  import { serve, SocketStream } from "@sluice/sluice";
  const server = serve({ port: 0, maxConnections: 101 }, async (channel) => {
    for await (const _ of channel);
  });
  const open = () => SocketStream.connect("127.0.0.1", server.addr.port);
  const come = async (count) => {
    for (let i = 0; i < count; i++) {
      const client = await open();
      await client.closeWrite();
      await client.read(1);
      await client.close();
    }
    gc();
    return Deno.memoryUsage().heapUsed;
  };
  for (let i = 0; i < 100; i++) await open();
  const before = await come(300);
  console.log(await come(1000) - before);
  Deno.exit();
`;

Deno.test("serve at maxConnections can be shut down", async () => {
  const server = serve({ port: 0, maxConnections: 1 }, echo);
  const { port } = server.addr;
  await using channel = await connect({ port });
  assertEquals(await ask(channel, "1"), "1");
  const shutdown = server.shutdown();
  await assertRejects(() => connect({ port }), ConnectionLostError);
  assertEquals(await ask(channel, "2"), "2"); // Its handler is waited for.
  await channel.close();
  await deadline(shutdown, PATIENCE);
});

Deno.test("serve at maxConnections can be shut down although its handler never ends", async () => {
  const started = new Log<string>();
  const server = serve(
    { port: 0, maxConnections: 1, shutdownTimeout: 50 },
    () => {
      started.add("handler");
      return new Promise(() => {});
    },
  );
  const { port } = server.addr;
  await using channel = await connect({ port });
  await started.atLeast(1);
  await deadline(server.shutdown(), PATIENCE);
  assertEquals(await deadline(channel.recv(), PATIENCE), null);
  await assertRejects(() => connect({ port }), ConnectionLostError);
});

Deno.test("shutdown lets a handler finish, and takes no new connection", async () => {
  const { promise: finishing, resolve: finish } = Promise.withResolvers<void>();
  const server = serve({ port: 0 }, async (channel) => {
    await channel.recv();
    await finishing;
    await channel.send(bytes("done"));
  });
  const { port } = server.addr;
  await using channel = await connect({ port });
  await channel.send(bytes("work"));
  const shutdown = server.shutdown();
  await assertRejects(() => connect({ port }), ConnectionLostError);
  finish();
  assertEquals(text(await channel.recv()), "done");
  assertEquals(await channel.recv(), null);
  await channel.close();
  await shutdown;
  await server.finished;
  await server.shutdown();
});

Deno.test("shutdown tells handlers by their signal, which they may let through", async () => {
  const errors: unknown[] = [];
  const server = serve(
    { port: 0, onError: (error) => errors.push(error) },
    async (channel, { signal }) => {
      for (;;) {
        const message = await channel.recv({ signal });
        if (message === null) return;
        await channel.send(message);
      }
    },
  );
  await using channel = await connect({ port: server.addr.port });
  assertEquals(await ask(channel, "hello"), "hello");
  await server.shutdown(); // The client is idle, and need not do anything.
  assertEquals(await channel.recv(), null);
  assertEquals(errors, []);
});

Deno.test("shutdown aborts what has not ended after shutdownTimeout, and waits no longer", async () => {
  const failures = new Log<unknown>();
  const server = serve({ port: 0, shutdownTimeout: 50 }, async (channel) => {
    await channel.recv().catch((error) => failures.add(error));
    await new Promise(() => {}); // It never ends.
  });
  await using channel = await connect({ port: server.addr.port });
  await channel.send(bytes("hello"));
  await using other = await connect({ port: server.addr.port });
  await other.flush();
  await server.shutdown();
  const [failure] = await failures.atLeast(1);
  assertInstanceOf(failure, StreamTimeoutError);
  assertEquals(failure.timeout, 50);
  await channel.recv().catch(() => {});
  await other.recv().catch(() => {});
});

Deno.test("shutdown does not wait for a channel that its handler is closing", async () => {
  const started = new Log<string>();
  const server = serve({
    port: 0,
    shutdownTimeout: 50,
    closeTimeout: 60_000,
    onError: () => {},
  }, async (channel) => {
    await channel.recv();
    for (let size = 0; size < 32; size++) {
      channel.send(new Uint8Array(1_000_000)).catch(() => {});
    }
    channel.close();
    started.add("closing");
    throw new Error("enough");
  });
  await using client = await createSocketStream(
    "127.0.0.1",
    server.addr.port,
  );
  await client.write(new Uint8Array([0, 0, 0, 0, 0, 10])); // It reads nothing.
  await started.atLeast(1);
  await server.shutdown();
  client.abort();
});

Deno.test("a signal that aborts in onListen ends the server", async () => {
  const abortion = new AbortController();
  const { signal } = abortion;
  const server = serve(
    { port: 0, signal, onListen: () => abortion.abort() },
    echo,
  );
  const { port } = server.addr;
  await deadline(server.finished, PATIENCE);
  await assertRejects(() => connect({ port }), ConnectionLostError);
});

Deno.test("the signal of serve ends it at once", async () => {
  const abortion = new AbortController();
  const { signal } = abortion;
  const started = new Log<string>();
  const failures: unknown[] = [];
  const server = serve({ port: 0, signal }, async (channel) => {
    started.add("handler");
    await channel.recv().catch((error) => failures.push(error));
    await new Promise(() => {}); // It never ends.
  });
  const { port } = server.addr;
  await using one = await connect({ port });
  await using two = await connect({ port });
  await started.atLeast(2);
  const reason = new Error("enough");
  abortion.abort(reason);
  await server.finished;
  assertEquals(failures, [reason, reason]);
  for (const channel of [one, two]) await channel.recv().catch(() => {});
  assertThrows(() => serve({ port: 0, signal }, echo), Error, "enough");
});

Deno.test("a stranger who is silent in the handshake holds up nobody, and is closed", async () => {
  const errors = new Log<[unknown, ErrorInfo]>();
  await using server = serve({
    port: 0,
    key: KEY,
    handshakeTimeout: 200,
    onError: (error, info) => errors.add([error, info]),
  }, echo);
  const { port } = server.addr;
  await using silent = await createSocketStream("127.0.0.1", port);
  await using channel = await connect({ port }, { key: KEY });
  assertEquals(await ask(channel, "hello"), "hello");
  const [[error, { phase }]] = await errors.atLeast(1);
  assertInstanceOf(error, StreamTimeoutError);
  assertEquals(phase, "handshake");
  assertEquals((await silent.read(32))?.byteLength, 32); // Its HELLO.
  assertEquals(await silent.read(1).catch(() => null), null);
  await channel.close();
});

Deno.test("a handshake under way ends with the server, and is no error", async () => {
  const errors: unknown[] = [];
  const server = serve(
    { port: 0, key: KEY, onError: (error) => errors.push(error) },
    echo,
  );
  const { port } = server.addr;
  await using silent = await createSocketStream("127.0.0.1", port);
  assertEquals((await silent.read(32))?.byteLength, 32);
  await server.shutdown();
  assertEquals(await silent.read(1).catch(() => null), null);
  assertEquals(errors, []);
});

Deno.test("serve is the responder of the handshake", async () => {
  await using server = serve({ port: 0, key: KEY, onError: () => {} }, echo);
  const { port } = server.addr;
  await using stream = await createSocketStream("127.0.0.1", port);
  const hello = await stream.read(32);
  assertEquals(hello?.[6], 2); // PROTOCOL.md: the role.
});

Deno.test("serve refuses wrong options before it listens", () => {
  const cases: [Record<string, unknown>, typeof RangeError][] = [
    [{ maxConnections: 0 }, RangeError],
    [{ maxConnections: 1.5 }, RangeError],
    [{ shutdownTimeout: -1 }, RangeError],
    [{ key: new Uint8Array(3) }, RangeError],
    [{ highWaterMark: 0 }, RangeError],
    [{ context: new Uint8Array(3) }, TypeError],
    [{ caCerts: ["ca.pem"] }, TypeError],
    [{ maxConnection: 1 }, TypeError],
    [{ stalTimeout: 1 }, TypeError],
  ];
  for (const [options, type] of cases) {
    assertThrows(
      () => serve({ port: 0, ...options } as ServeOptions, echo),
      type,
    );
  }
  assertThrows(
    () => serve({ port: 0 }, undefined as unknown as ServeHandler),
    TypeError,
    "handler must be a function",
  );
  assertThrows(
    () =>
      serve({
        port: 0,
        onListen: () => {
          throw new Error("onListen failed");
        },
      }, echo),
    Error,
    "onListen failed",
  );
});

Deno.test({
  name:
    "serve survives having no free file, and serves all when there are some",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const child = new Deno.Command("sh", {
      args: [
        "-c",
        'ulimit -n 64; exec "$0" run --quiet --allow-all "$1"',
        Deno.execPath(),
        fromFileUrl(new URL("./_crowded_server.ts", import.meta.url)),
      ],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const lines = child.stdout
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream())
      .values();
    try {
      const port = Number((await lines.next()).value);
      const channels = [];
      for (let i = 0; i < 100; i++) channels.push(await connect({ port }));
      const { value } = await lines.next();
      assert(/^accept .*Too many open files/.test(value!), value);
      // Each that is closed gives its file to one that waits.
      await Promise.all(channels.map(async (channel, i) => {
        assertEquals(await ask(channel, `${i}`), `${i}`);
        await channel.close();
      }));
    } finally {
      child.kill("SIGKILL");
      await lines.return?.();
      await child.status;
    }
  },
});

Deno.test("a server that was unref'd lets its process end", async () => {
  const source = new URL("../../factories/serve.ts", import.meta.url);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `const { serve } = await import(${JSON.stringify(source.href)});
       serve({ port: 0 }, () => {}).unref();`,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
});
