import { ConnectionLostError } from "@sluice/sluice/errors";
import { SocketStream } from "@sluice/sluice/streams";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { ConnTransport, type RawConn } from "../../streams/_conn_transport.ts";
import { bytes, rejection } from "./_support.ts";

/** A connection that notes what is asked of it. */
class FakeConn implements RawConn {
  readonly calls: string[] = [];
  readonly written: Uint8Array[] = [];
  takesAtOnce = Infinity;
  givesAtOnce = 3;
  ending: Promise<void> = Promise.resolve();

  read(buffer: Uint8Array): Promise<number | null> {
    this.calls.push(`read ${buffer.length}`);
    const size = Math.min(buffer.length, this.givesAtOnce);
    buffer.set(bytes(size));
    return Promise.resolve(size);
  }

  write(data: Uint8Array): Promise<number> {
    const size = Math.min(data.length, this.takesAtOnce);
    this.written.push(data.slice(0, size));
    return Promise.resolve(size);
  }

  closeWrite(): Promise<void> {
    this.calls.push("closeWrite");
    return this.ending;
  }

  close(): void {
    assert(!this.calls.includes("close"), "the platform throws at a second");
    this.calls.push("close");
  }
}

Deno.test("ConnTransport writes on where the platform has written only a part", async () => {
  for (const takesAtOnce of [1, 2, 3, 7, 10, 11]) {
    const conn = new FakeConn();
    conn.takesAtOnce = takesAtOnce;
    await new ConnTransport(conn).write(bytes(10));
    assertEquals(conn.written.length, Math.ceil(10 / takesAtOnce));
    assertEquals(concat(conn.written), bytes(10));
  }
});

Deno.test("ConnTransport asks the platform for no empty write", async () => {
  const conn = new FakeConn();
  await new ConnTransport(conn).write(bytes(0));
  assertEquals(conn.written, []);
});

Deno.test("ConnTransport reads into the memory that it is lent", async () => {
  const transport = new ConnTransport(new FakeConn());
  const lent = new Uint8Array(100);
  const chunk = await transport.read(lent);
  assertStrictEquals(chunk?.buffer, lent.buffer);
  assertEquals(chunk, bytes(3));
  assert((await transport.read())?.buffer !== lent.buffer);
});

Deno.test("ConnTransport fills a large loan in several reads, as the peer waits while one copies", async () => {
  const conn = new FakeConn();
  const transport = new ConnTransport(conn);
  conn.givesAtOnce = Infinity;
  const lent = new Uint8Array(400_000);
  const lengths: number[] = [];
  for (let at = 0; at < lent.byteLength; at += lengths.at(-1)!) {
    const chunk = (await transport.read(lent.subarray(at)))!;
    assertStrictEquals(chunk.buffer, lent.buffer);
    assertEquals(chunk.byteOffset, at);
    lengths.push(chunk.byteLength);
  }
  assertEquals(lengths, [196_608, 196_608, 6784]);
});

Deno.test("ConnTransport waits with a small buffer after a long message that ended in lent memory", async () => {
  const conn = new FakeConn();
  const transport = new ConnTransport(conn);
  conn.givesAtOnce = Infinity;
  for (let i = 0; i < 2; i++) await transport.read();
  await transport.read(new Uint8Array(100_000));
  conn.givesAtOnce = 9000;
  await transport.read(new Uint8Array(10_000));
  await transport.read();
  assertEquals(conn.calls.at(-1), "read 4096");
});

Deno.test("ConnTransport ends the connection once, then closes it once", async () => {
  const conn = new FakeConn();
  const transport = new ConnTransport(conn);
  await transport.closeWrite();
  await transport.close();
  await transport.close();
  transport.abort();
  assertEquals(conn.calls, ["closeWrite", "close"]);
});

Deno.test("ConnTransport waits with the close for an end that is under way", async () => {
  const conn = new FakeConn();
  const gate = Promise.withResolvers<void>();
  conn.ending = gate.promise;
  const transport = new ConnTransport(conn);
  const ending = transport.closeWrite();
  const closing = transport.close();
  await Promise.resolve();
  assertEquals(conn.calls, ["closeWrite"]);
  gate.resolve();
  await Promise.all([ending, closing]);
  assertEquals(conn.calls, ["closeWrite", "close"]);
});

Deno.test("ConnTransport closes a connection whose end does not go out", async () => {
  const conn = new FakeConn();
  conn.ending = new Promise(() => {});
  const transport = new ConnTransport(conn);
  await rejection(transport.close());
  assertEquals(conn.calls, ["closeWrite", "close"]);
});

/** What a peer of Node does with a connection. */
async function peer(
  body: (socket: Socket) => void,
): Promise<[SocketStream, AsyncDisposable]> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    body(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stream = await SocketStream.connect("127.0.0.1", port);
  return [stream, {
    async [Symbol.asyncDispose]() {
      await stream.close();
      server.close();
      await once(server, "close");
    },
  }];
}

Deno.test("A reset is a ConnectionLostError for all four promises", async () => {
  const [stream, server] = await peer((socket) => {
    socket.once("data", () => socket.resetAndDestroy());
  });
  await using _ = server;
  const reader = stream.readable.getReader();
  const writer = stream.writable.getWriter();
  const read = reader.read();
  read.catch(() => {});
  reader.closed.catch(() => {});
  writer.closed.catch(() => {});
  await writer.write(bytes(1));
  const reason = await rejection(read);
  assertInstanceOf(reason, ConnectionLostError);
  assertInstanceOf(reason.cause, Deno.errors.ConnectionReset);
  assertStrictEquals(await rejection(reader.closed), reason);
  assertStrictEquals(await rejection(writer.closed), reason);
  assertStrictEquals(await rejection(writer.write(bytes(1))), reason);
  assertStrictEquals(await stream.finished, reason);
});

Deno.test("A reset while a write waits is a ConnectionLostError", async () => {
  const [stream, server] = await peer((socket) => {
    socket.once("data", () => socket.resetAndDestroy());
  });
  await using _ = server;
  const error = await rejection(stream.write(new Uint8Array(64 << 20)));
  assertInstanceOf(error, ConnectionLostError);
  assertStrictEquals(await stream.finished, error);
});

Deno.test("A peer of Node that ends its direction still reads ours", async () => {
  const received: Uint8Array[] = [];
  const ended = Promise.withResolvers<void>();
  const [stream, server] = await peer((socket) => {
    socket.allowHalfOpen = true;
    socket.end("bye");
    socket.on("data", (data: Uint8Array) => received.push(data));
    socket.on("end", ended.resolve);
  });
  await using _ = server;
  assertEquals(await stream.read(3), new TextEncoder().encode("bye"));
  assertEquals(await stream.read(1), null);
  await stream.write(bytes(100));
  await stream.closeWrite();
  await ended.promise;
  assertEquals(concat(received), bytes(100));
  assertEquals(await stream.finished, undefined);
});
