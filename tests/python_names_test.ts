/**
 * What Python programs know from RPyC's streams and channels, name by name, as
 * Sluice has it.
 *
 * | Python | Sluice |
 * | --- | --- |
 * | `SocketStream(sock)`, `.connect(host, port, ipv6, keepalive)` | `new SocketStream(conn)`, `SocketStream.connect(host, port, { ipv6, keepAlive })` |
 * | `stream.read(count)`, `.write(data)`, `.close()`, `.closed` | the same, with promises |
 * | `TunneledSocketStream(sock)` | `TunneledSocketStream.connect(host, port, { via })`, `createTunneledStream` |
 * | `PipeStream(input, output)`, `.create_pair()` | `new PipeStream(input, output)`, `PipeStream.createPair()` |
 * | `Channel(stream)`: `send`, `recv`, `poll(seconds)`, `close`, `closed` | `new Channel(stream)`: the same, `poll(milliseconds)` |
 * | `CompressedChannel(stream, compression_level=6)` | `new CompressedChannel(stream, { level })` |
 * | `EncryptedChannel(stream, key)` | `new EncryptedChannel(stream, key)` |
 * | `BatchingChannel(stream, batch_size=10, batch_timeout=0.1)` | `new BatchingChannel(stream, { batchSize, batchTimeout })` |
 * | `BufferedStream(stream, buffer_size=8192)`, `.flush()` | `new BufferedStream(stream, { bufferSize })`, `.flush()` |
 * | `create_socket_stream`, `create_ssl_stream`, `create_pipe_stream`, `create_unix_stream` | `createSocketStream`, `createSslStream`, `createPipeStream`, `createUnixStream` |
 * | `DEFAULT_BUFFER_SIZE` and five more | the same; times in milliseconds |
 * | `StreamError` and its four children | the same |
 * | a custom stream with a token | any pair of web streams; `examples/token_stream.ts` |
 * | a `StreamPool` | `ChannelPool` |
 * | a `MonitoredStream` | `MonitoredStream` |
 * | `rpyc.Connection(service, channel)` | `examples/call_python.ts` |
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { join } from "@std/path/join";
import * as sluice from "@sluice/sluice";
import { certificateFiles } from "./_certificates.ts";

const {
  BatchingChannel,
  BufferedStream,
  Channel,
  ChannelPool,
  CompressedChannel,
  EncryptedChannel,
  MonitoredStream,
  PipeStream,
  SocketStream,
  TunneledSocketStream,
} = sluice;

const HELLO = new TextEncoder().encode("Hello RPyC");

/** A server that sends every message back. */
function echoServer(): sluice.Server<Deno.NetAddr> {
  return sluice.serve({ port: 0 }, echo);
}

async function echo(channel: sluice.Channel): Promise<void> {
  for await (const message of channel) await channel.send(message);
}

/** Sends a message and expects it back. */
async function assertEchoes(
  channel: sluice.Channel,
  message: Uint8Array = HELLO,
): Promise<void> {
  await channel.send(message);
  await channel.flush();
  assertEquals(await channel.recv(), message);
}

/** Reads and writes on two ends, closes one, and looks at `closed`. */
async function assertStreams(
  near: sluice.ByteStream,
  far: sluice.ByteStream,
): Promise<void> {
  assertEquals([near.closed, far.closed], [false, false]);
  await near.write(HELLO);
  assertEquals(await far.read(5), HELLO.subarray(0, 5));
  assertEquals(await far.read(5), HELLO.subarray(5));
  await far.write(HELLO);
  assertEquals(await near.read(HELLO.length), HELLO);
  await near.close();
  assertEquals(near.closed, true);
  assertEquals(await far.read(1), null);
  await far.close();
  assertEquals(far.closed, true);
}

// Streams

Deno.test("SocketStream wraps a connected socket, and connects by itself", async () => {
  using listener = sluice.listen({ port: 0 });
  const { hostname, port } = listener.addr;
  const conn = await Deno.connect({ hostname, port });
  await assertStreams(new SocketStream(conn), await listener.accept());

  const stream = await SocketStream.connect(hostname, port, {
    ipv6: false,
    keepAlive: true,
  });
  assertInstanceOf(stream, SocketStream);
  await assertStreams(stream, await listener.accept());
});

Deno.test("TunneledSocketStream is a SocketStream that goes through a proxy", async () => {
  using proxy = sluice.listen({ port: 0 });
  const answering = (async () => {
    const client = await proxy.accept();
    await client.read(3); // SOCKS version 5, one method: no authentication
    await client.write(Uint8Array.of(5, 0));
    await client.read(10); // CONNECT to an IPv4 address and a port
    await client.write(Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
    return client;
  })();
  const stream = await TunneledSocketStream.connect("192.0.2.1", 7000, {
    via: { socks5: { host: "127.0.0.1", port: proxy.addr.port } },
  });
  assertInstanceOf(stream, SocketStream);
  await assertStreams(stream, await answering);
});

Deno.test("PipeStream joins an input and an output, and makes connected pairs", async () => {
  const there = new TransformStream<Uint8Array, Uint8Array>();
  const back = new TransformStream<Uint8Array, Uint8Array>();
  const near = new PipeStream(back.readable, there.writable);
  const far = new PipeStream(there.readable, back.writable);
  const writing = near.write(HELLO); // Such a pair has no buffer to write into.
  assertEquals(await far.read(HELLO.length), HELLO);
  await writing;
  await Promise.all([near.close(), far.close()]);
  assertEquals([near.closed, far.closed], [true, true]);

  await assertStreams(...PipeStream.createPair());
});

// Channels

Deno.test("Channel sends, receives, polls and closes", async () => {
  const [near, far] = PipeStream.createPair();
  const client = new Channel(near);
  const server = new Channel(far);
  assertEquals(client.closed, false);
  assertEquals(await server.poll(), false);
  const polling = server.poll(10_000);
  await client.send(HELLO);
  assertEquals(await polling, true);
  assertEquals(await server.recv(), HELLO);
  await client.close();
  assertEquals(client.closed, true);
  assertEquals(await server.recv(), null);
  await server.close();
});

Deno.test("CompressedChannel takes every level from 0 to 9", async () => {
  const text = new TextEncoder().encode("compressible ".repeat(1000));
  const sizes: number[] = [];
  for (let level = 0; level <= 9; level++) {
    const [near, far] = PipeStream.createPair();
    await using client = new CompressedChannel(near, { level });
    await using server = new Channel(far);
    await client.send(text);
    assertEquals(await server.recv(), text);
    sizes.push(client.stats.bytesSent);
  }
  assert(sizes[0]! > text.length); // Level 0 does not compress.
  assert(Math.max(...sizes.slice(1)) < text.length / 10, `${sizes}`);
  const [near, far] = PipeStream.createPair();
  assertThrows(() => new CompressedChannel(near, { level: 10 }), RangeError);
  await Promise.all([near.close(), far.close()]);
});

Deno.test("EncryptedChannel talks to who has the key, and to nobody else", async () => {
  const key = crypto.getRandomValues(new Uint8Array(32));
  {
    const [near, far] = PipeStream.createPair();
    await using client = new EncryptedChannel(near, key);
    await using server = new EncryptedChannel(far, key);
    await client.send(HELLO);
    assertEquals(await server.recv(), HELLO);
  }
  const [near, far] = PipeStream.createPair();
  await using stranger = new EncryptedChannel(near, key.toReversed(), {
    role: "initiator",
  });
  await using server = new EncryptedChannel(far, key);
  await assertRejects(() => server.recv(), sluice.EncryptionError);
  await assertRejects(() => stranger.recv(), sluice.ConnectionLostError);
});

Deno.test("BatchingChannel sends batchSize messages in one write", async () => {
  const [near, far] = PipeStream.createPair();
  await using client = new BatchingChannel(near, {
    batchSize: 20,
    batchTimeout: 60_000,
  });
  await using server = new Channel(far);
  for (let i = 0; i < 19; i++) await client.send(Uint8Array.of(i));
  await setImmediate();
  assertEquals(client.stats.writes, 0);
  await client.send(Uint8Array.of(19));
  for (let i = 0; i < 20; i++) {
    assertEquals(await server.recv(), Uint8Array.of(i));
  }
  assertEquals(client.stats.writes, 1);
});

// Factories

Deno.test("createSocketStream makes a SocketStream, and takes ipv6 and keepAlive", async () => {
  using listener = sluice.listen({ port: 0 }); // It has no IPv6 address.
  const { port } = listener.addr;
  const { connect } = Deno;
  const kept: boolean[] = [];
  Deno.connect = (async (options: Deno.ConnectOptions) => {
    const conn = await connect(options);
    conn.setKeepAlive = (keepAlive = true) => void kept.push(keepAlive);
    return conn;
  }) as typeof Deno.connect;
  try {
    const options = { ipv6: false, keepAlive: true };
    await using stream = await sluice.createSocketStream(
      "localhost",
      port,
      options,
    );
    assertInstanceOf(stream, SocketStream);
    assertEquals(kept, [true]);
    await assertRejects(
      () => sluice.createSocketStream("localhost", port, { ipv6: true }),
      sluice.ConnectionLostError,
    );
  } finally {
    Deno.connect = connect;
  }
});

Deno.test("createSocketStream connects over IPv6 with ipv6: true", {
  ignore: !hasIpv6(),
}, async () => {
  using listener = sluice.listen({ hostname: "::1", port: 0 });
  const { port } = listener.addr;
  await using stream = await sluice.createSocketStream("::1", port, {
    ipv6: true,
  });
  assertEquals(stream.info.remote, { hostname: "::1", port });
});

Deno.test("createSslStream connects over TLS with a client certificate and authorities from files", async () => {
  await using files = await certificateFiles();
  const { cert: certFile, key: keyFile } = files.server;
  using listener = sluice.listen({ port: 0, certFile, keyFile });
  const [stream, peer] = await Promise.all([
    sluice.createSslStream("localhost", listener.addr.port, {
      keyFile: files.client.key,
      certFile: files.client.cert,
      caCerts: [files.ca],
    }),
    listener.accept(),
  ]);
  assertEquals(stream.info.transport, "tls");
  await assertStreams(stream, peer);
});

Deno.test("createPipeStream makes a PipeStream of a program and its arguments", async () => {
  const command = [Deno.execPath(), "eval", ""];
  await using child = await sluice.createPipeStream(command);
  assertInstanceOf(child, PipeStream);
});

Deno.test(
  "createUnixStream connects to a Unix socket, which carries a channel",
  {
    ignore: Deno.build.os === "windows",
  },
  async () => {
    const folder = await Deno.makeTempDir({ prefix: "sluice_seed_" });
    try {
      const path = join(folder, "rpyc.sock");
      await using _server = sluice.serve({ path }, echo);
      await using channel = new Channel(await sluice.createUnixStream(path));
      await assertEchoes(channel);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

// Buffering

Deno.test("BufferedStream gathers writes until flush()", async () => {
  const [near, far] = PipeStream.createPair();
  const writes: number[] = [];
  const counted = new MonitoredStream(near, {
    onWrite: (size) => writes.push(size),
  });
  await using stream = new BufferedStream(counted, { bufferSize: 8192 });
  for (const byte of HELLO) await stream.write(Uint8Array.of(byte));
  await stream.flush();
  assertEquals(writes.reduce((a, b) => a + b), HELLO.length);
  assert(writes.length < HELLO.length);
  assertEquals(await far.read(HELLO.length), HELLO);
  await far.write(HELLO);
  assertEquals(await stream.read(4), HELLO.subarray(0, 4));
  await far.close();
});

Deno.test("BufferedStream refuses a buffer over MAX_BUFFER_SIZE", async () => {
  const [near, far] = PipeStream.createPair();
  const bufferSize = sluice.MAX_BUFFER_SIZE + 1;
  const error = assertThrows(
    () => new BufferedStream(near, { bufferSize }),
    sluice.BufferOverflowError,
  );
  assertEquals([error.size, error.limit], [bufferSize, bufferSize - 1]);
  await Promise.all([near.close(), far.close()]);
});

// Uses

Deno.test("A plain conversation: connect, send, receive, close", async () => {
  await using server = echoServer();
  const stream = await SocketStream.connect("localhost", server.addr.port);
  const channel = new Channel(stream);
  await channel.send(HELLO);
  assertEquals(await channel.recv(), HELLO);
  await channel.close();
  assertEquals(channel.closed, true);
});

Deno.test("A compressed conversation at level 9 saves most of a large message", async () => {
  await using server = echoServer();
  const stream = await SocketStream.connect("localhost", server.addr.port);
  await using channel = new CompressedChannel(stream, { level: 9 });
  const list = JSON.stringify(Array.from({ length: 10_000 }, (_, i) => i));
  const message = new TextEncoder().encode(list);
  await assertEchoes(channel, message);
  assert(channel.stats.bytesSent < message.length / 2);
});

Deno.test("A channel of many small calls goes over a BufferedStream and batches", async () => {
  await using server = echoServer();
  const base = await SocketStream.connect("localhost", server.addr.port);
  const buffered = new BufferedStream(base, { bufferSize: 32_768 });
  await using channel = new BatchingChannel(buffered, {
    batchSize: 20,
    batchTimeout: 50,
  });
  const sending = (async () => {
    for (let i = 0; i < 1000; i++) {
      await channel.send(new TextEncoder().encode(`${i}`));
    }
  })();
  for (let i = 0; i < 1000; i++) {
    assertEquals(new TextDecoder().decode((await channel.recv())!), `${i}`);
  }
  await sending;
  assert(channel.stats.writes <= 50, `${channel.stats.writes}`);
});

Deno.test("A custom stream needs no more than readable and writable", async () => {
  await using server = echoServer();
  const stream = await SocketStream.connect("localhost", server.addr.port);
  class CustomStream implements sluice.ByteStreamPair {
    readonly readable = stream.readable;
    readonly writable = stream.writable;
  }
  await using channel = new Channel(new CustomStream());
  await assertEchoes(channel);
});

Deno.test("Ten tasks share the connections of a pool", async () => {
  let connections = 0;
  await using server = sluice.serve({ port: 0 }, (channel) => {
    connections++;
    return echo(channel);
  });
  await using pool = new ChannelPool({
    connect: (signal) => sluice.connect({ port: server.addr.port, signal }),
    size: 4,
  });
  const task = async (id: number): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      await using lease = await pool.acquire();
      await assertEchoes(lease.channel, Uint8Array.of(id, i));
    }
  };
  await Promise.all(Array.from({ length: 10 }, (_, id) => task(id)));
  assertEquals(connections, 4);
});

Deno.test("MonitoredStream counts what goes through, and tells at the end", async () => {
  await using server = echoServer();
  const log: string[] = [];
  const base = await SocketStream.connect("localhost", server.addr.port);
  const monitored: sluice.MonitoredStream = new MonitoredStream(base, {
    onRead: () => log.push(`READ ${monitored.bytesReceived}`),
    onWrite: () => log.push(`WRITE ${monitored.bytesSent}`),
    onClose: (stats) => log.push(`CLOSE ${stats.bytesSent}`),
  });
  const channel = new Channel(monitored);
  await assertEchoes(channel);
  await channel.close();
  assertEquals(await monitored.finished, undefined);
  const frame = 4 + 1 + HELLO.length + 1;
  assertEquals(log, [`WRITE ${frame}`, `READ ${frame}`, `CLOSE ${frame}`]);
  assertEquals(monitored.closed, true);
  assert(monitored.duration > 0);
});

// Constants and errors

Deno.test("The constants are those of Python, times in milliseconds", () => {
  assertEquals(sluice.DEFAULT_BUFFER_SIZE, 8192);
  assertEquals(sluice.MAX_BUFFER_SIZE, 1_048_576);
  assertEquals(sluice.DEFAULT_BATCH_SIZE, 10);
  assertEquals(sluice.DEFAULT_BATCH_TIMEOUT, 100);
  assertEquals(sluice.DEFAULT_COMPRESSION_LEVEL, 6);
  assertEquals(sluice.STREAM_CHUNK_SIZE, 64_000);
});

Deno.test("The errors are children of StreamError", () => {
  for (
    const Child of [
      sluice.ConnectionLostError,
      sluice.BufferOverflowError,
      sluice.CompressionError,
      sluice.EncryptionError,
    ]
  ) {
    const error = new Child("Cannot do it");
    assertInstanceOf(error, sluice.StreamError);
    assertInstanceOf(error, Error);
    assertEquals(error.name, Child.name);
  }
});

Deno.test("A lost connection, a message over the limit and damaged data each have their error", async () => {
  const frame = (flag: number, ...payload: number[]) =>
    Uint8Array.of(0, 0, 0, payload.length, flag, ...payload, 10);
  for (
    const { bytes, error } of [
      { bytes: frame(0, 1, 2, 3).subarray(0, 6), error: "ConnectionLostError" },
      {
        bytes: Uint8Array.of(255, 255, 255, 255, 0),
        error: "BufferOverflowError",
      },
      { bytes: frame(1, 1, 2, 3), error: "CompressionError" },
    ]
  ) {
    const [near, far] = PipeStream.createPair();
    await using channel = new Channel(near);
    await far.write(bytes);
    await far.closeWrite();
    const failure = await assertRejects(
      () => channel.recv(),
      sluice.StreamError,
    );
    assertEquals(failure.name, error);
    await far.close();
  }
});

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}
