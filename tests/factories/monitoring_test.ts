import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { channel as diagnosticsChannel } from "node:diagnostics_channel";
import {
  type AcceptMessage,
  type CloseMessage,
  connect,
  ConnectionLostError,
  type ConnectMessage,
  createSocketStream,
  DIAGNOSTICS_CHANNELS,
  type ErrorInfo,
  type ErrorMessage,
  listen,
  serve,
  StreamClosedError,
} from "@sluice/sluice";
import { ask, echo, Log } from "./_support.ts";

type Events = [name: string, message: unknown][];

/** Collects the events of all four channels, or of those named. */
function subscribe(
  names: string[] = Object.values(DIAGNOSTICS_CHANNELS),
): Disposable & {
  readonly log: Log<Events[number]>;
  of<T>(name: string): T[];
} {
  const log = new Log<Events[number]>();
  const subscriptions = names.map((name) => {
    const channel = diagnosticsChannel(name);
    const listener = (message: unknown) => log.add([name, message]);
    channel.subscribe(listener);
    return () => channel.unsubscribe(listener);
  });
  return {
    log,
    of: <T>(wanted: string) =>
      log.items.filter(([name]) => name === wanted)
        .map(([_, message]) => message as T),
    [Symbol.dispose]: () => subscriptions.forEach((end) => end()),
  };
}

Deno.test("the events of a connection tell of both its sides, from beginning to end", async () => {
  using events = subscribe();
  await using server = serve({ port: 0 }, echo);
  const channel = await connect({ port: server.addr.port });
  assertEquals(await ask(channel, "hello"), "hello");
  const { bytesSent } = channel.stats;
  await channel.close();
  await server.shutdown();
  await events.log.atLeast(4);
  assertEquals(events.log.items.map(([name]) => name).sort(), [
    "sluice:accept",
    "sluice:close",
    "sluice:close",
    "sluice:connect",
  ]);

  const [connected] = events.of<ConnectMessage>("sluice:connect");
  assert(connected !== undefined);
  assertEquals(connected.channel, channel);
  assertEquals(connected.info.transport, "tcp");
  assertEquals(connected.info.remote?.port, server.addr.port);
  assert(connected.duration > 0);

  const [accepted] = events.of<AcceptMessage>("sluice:accept");
  assert(accepted !== undefined);
  assertEquals(accepted.info.remote, connected.info.local);

  const closed = events.of<CloseMessage>("sluice:close");
  const ours = closed.find(({ side }) => side === "client");
  const theirs = closed.find(({ side }) => side === "server");
  assertEquals(ours?.channel, channel);
  assertEquals(ours?.stats?.bytesSent, bytesSent);
  assertEquals(theirs?.channel, accepted.channel);
  assertEquals(theirs?.stats?.messagesReceived, 1);
  for (const message of [ours, theirs]) {
    assertEquals(message?.error, undefined);
    assert(message!.duration > 0);
  }
});

Deno.test("the events of listen tell of streams", async () => {
  using events = subscribe();
  using listener = listen({ port: 0 });
  const accepting = listener.accept();
  const client = await createSocketStream("127.0.0.1", listener.addr.port);
  const stream = await accepting;
  await Promise.all([client.close(), stream.close()]);
  const { info } = stream;
  const [[first, accepted], [second, closed]] = await events.log.atLeast(2);
  assertEquals([first, second], ["sluice:accept", "sluice:close"]);
  assertEquals(accepted, { info, channel: undefined });
  assertEquals((closed as CloseMessage).info, info);
  assertEquals((closed as CloseMessage).side, "server");
});

Deno.test("a connect that fails is an error event", async () => {
  using events = subscribe();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const error = await assertRejects(() => connect({ port }));
  assertEquals(events.log.items, [["sluice:error", {
    error,
    phase: "connect",
    info: { transport: "tcp", remote: { hostname: "127.0.0.1", port } },
  }]]);
});

Deno.test("a connection that is lost is an error event, and then a close event that tells why", async () => {
  using events = subscribe(["sluice:error", "sluice:close"]);
  await using server = serve({ port: 0, onError: () => {} }, echo);
  const rude = await createSocketStream("127.0.0.1", server.addr.port);
  await rude.write(new Uint8Array([0, 0, 0, 9, 0])); // The head of a frame.
  await rude.close();
  const [[first, lost], [second, closed]] = await events.log.atLeast(2);
  assertEquals([first, second], ["sluice:error", "sluice:close"]);
  const { error, phase } = lost as ErrorMessage;
  assertInstanceOf(error, ConnectionLostError);
  assertEquals(phase, "connection");
  assertEquals((closed as CloseMessage).error, error);
  await server.shutdown();
  assertEquals(events.log.items.length, 2);
});

for (
  const failure of [
    new Error("handler failed"),
    new ConnectionLostError("another connection failed"),
  ]
) {
  Deno.test(`a handler that throws is one error event: ${failure.message}`, async () => {
    using events = subscribe();
    await using server = serve({ port: 0, onError: () => {} }, () => {
      throw failure;
    });
    const channel = await connect({ port: server.addr.port });
    await channel.recv().catch(() => {});
    await channel.close();
    await server.shutdown();
    const { port } = server.addr; // The client may have lost its connection.
    const ours = ({ info }: Pick<ErrorInfo, "info">) =>
      info?.local?.port === port;
    const errors = events.of<ErrorMessage>("sluice:error").filter(ours);
    assertEquals(errors.map(({ phase }) => phase), ["handler"]);
    assertStrictEquals(errors[0]?.error, failure);
    const [closed] = events.of<CloseMessage>("sluice:close").filter(ours);
    assert(closed !== undefined);
    assertInstanceOf(closed.error, StreamClosedError);
    assertStrictEquals(closed.error.cause, failure);
  });
}

Deno.test("a handshake that fails is an error event, and no accept", async () => {
  using events = subscribe(["sluice:error", "sluice:accept"]);
  const key = crypto.getRandomValues(new Uint8Array(32));
  await using server = serve({ port: 0, key }, echo);
  const stranger = await createSocketStream("127.0.0.1", server.addr.port);
  await stranger.write(
    new TextEncoder().encode("GET / HTTP/1.1\r\n".repeat(5)),
  );
  const [[name, message]] = await events.log.atLeast(1);
  assertEquals(name, "sluice:error");
  assertEquals((message as ErrorMessage).phase, "handshake");
  assertEquals((message as ErrorMessage).info?.remote, stranger.info.local);
  await stranger.close();
});

Deno.test("without subscribers nothing is published", async () => {
  const channels = Object.values(DIAGNOSTICS_CHANNELS).map((name) =>
    diagnosticsChannel(name)
  );
  let published = 0;
  for (const channel of channels) {
    assert(!channel.hasSubscribers);
    Object.defineProperty(channel, "publish", {
      configurable: true,
      value: () => published++,
    });
  }
  try {
    await using server = serve({ port: 0, onError: () => {} }, () => {
      throw new Error("handler failed");
    });
    const channel = await connect({ port: server.addr.port });
    await channel.recv().catch(() => {});
    await channel.close();
    await server.shutdown();
    await assertRejects(() => connect({ port: server.addr.port }));
    assertEquals(published, 0);
  } finally {
    for (const channel of channels) Reflect.deleteProperty(channel, "publish");
  }
});
