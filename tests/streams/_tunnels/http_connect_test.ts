import { assertEquals, assertRejects } from "@std/assert";
import {
  BufferOverflowError,
  ConnectionLostError,
  FramingError,
  type HttpConnectProxy,
  TunneledSocketStream,
} from "@sluice/sluice";
import {
  echoConn,
  HOST,
  serveConns,
  writeAll,
} from "../../factories/_tunnel_peers.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const OK = "HTTP/1.1 200 Connection established\r\n\r\n";

/** Reads a request up to its empty line. */
async function readRequest(conn: Deno.Conn): Promise<string> {
  let text = "";
  const byte = new Uint8Array(1);
  while (!text.endsWith("\r\n\r\n")) {
    if (await conn.read(byte) === null) break;
    text += String.fromCharCode(byte[0]!);
  }
  return text;
}

/** A proxy that gives `answer` to any request, and then an echo. */
function serveAnswer(answer: string | Uint8Array) {
  return serveConns(async (conn) => {
    await readRequest(conn);
    await writeAll(conn, typeof answer === "string" ? bytes(answer) : answer);
    await echoConn(conn);
  });
}

function connectThrough(
  port: number,
  proxy: Partial<HttpConnectProxy> = {},
  host = "target.invalid",
): Promise<TunneledSocketStream> {
  return TunneledSocketStream.connect(host, 443, {
    via: { httpConnect: { host: HOST, port, ...proxy } },
  });
}

for (
  const [what, host, proxy, request] of [
    [
      "names the target",
      "target.invalid",
      {},
      "CONNECT target.invalid:443 HTTP/1.1\r\nHost: target.invalid:443\r\n\r\n",
    ],
    [
      "puts an IPv6 address in brackets",
      "2001:db8::1",
      {},
      "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n",
    ],
    [ // The example of RFC 7617, section 2
      "carries the credentials of RFC 7617",
      "a.b",
      { username: "Aladdin", password: "open sesame" },
      "CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n" +
      "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n",
    ],
    [ // Its section 2.1
      "carries them in UTF-8",
      "a.b",
      { username: "test", password: "123£" },
      "CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n" +
      "Proxy-Authorization: Basic dGVzdDoxMjPCow==\r\n\r\n",
    ],
    [
      "leaves an empty password empty",
      "a.b",
      { username: "x" },
      "CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n" +
      "Proxy-Authorization: Basic eDo=\r\n\r\n",
    ],
  ] as const
) {
  Deno.test(`The request to an HTTP proxy ${what}, byte for byte`, async () => {
    const received = Promise.withResolvers<string>();
    await using server = serveConns(async (conn) => {
      received.resolve(await readRequest(conn));
      await writeAll(conn, bytes(OK));
    });
    await using _ = await connectThrough(server.port, proxy, host);
    assertEquals(await received.promise, request);
  });
}

Deno.test("Bytes that arrive with the answer of an HTTP proxy are kept", async () => {
  await using server = serveAnswer(`${OK}hello\r\n\r\n!`);
  await using stream = await connectThrough(server.port);
  assertEquals(await stream.read(10), bytes("hello\r\n\r\n!"));
  await stream.write(bytes("echo"));
  assertEquals(await stream.read(4), bytes("echo"));
});

Deno.test("An answer of an HTTP proxy may come byte by byte", async () => {
  await using server = serveConns(async (conn) => {
    (conn as Deno.TcpConn).setNoDelay(true);
    await readRequest(conn);
    for (const byte of bytes(`${OK}hi`)) await conn.write(Uint8Array.of(byte));
  });
  await using stream = await connectThrough(server.port);
  assertEquals(await stream.read(2), bytes("hi"));
});

for (
  const [what, answer] of [
    ["any status from 200 to 299", "HTTP/1.1 204 No Content\r\n\r\n"],
    ["HTTP/1.0 and no reason", "HTTP/1.0 200\r\n\r\n"],
    [
      "headers, of which none gives it a body",
      "HTTP/1.1 200 OK\r\nVia: 1.1 x\r\nContent-Length: 4\r\nX:\t\xe9\r\n\r\n",
    ],
    [
      "interim answers before the final one",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
    [
      "line breaks that begin like the end and are not",
      "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n",
    ],
  ] as const
) {
  Deno.test(`An HTTP proxy may answer with ${what}`, async () => {
    await using server = serveAnswer(
      Uint8Array.from(`${answer}next`, (char) => char.charCodeAt(0)),
    );
    await using stream = await connectThrough(server.port);
    assertEquals(await stream.read(4), bytes("next"));
  });
}

for (
  const [answer, reason] of [
    [
      "HTTP/1.1 403 Forbidden\r\nContent-Length: 1\r\n\r\nx",
      "403 Forbidden",
    ],
    ["HTTP/1.1 502 Bad Gateway\r\n\r\n", "502 Bad Gateway"],
    ["HTTP/1.1 301\r\n\r\n", "301"],
    ["HTTP/1.1 101 Switching Protocols\r\n\r\n", "101 Switching Protocols"],
  ] as const
) {
  Deno.test(`The answer ${reason} of an HTTP proxy is a ConnectionLostError with status and reason`, async () => {
    await using server = serveAnswer(answer);
    const error = await assertRejects(
      () => connectThrough(server.port),
      ConnectionLostError,
    );
    assertEquals(
      error.message,
      `Cannot connect to target.invalid:443 through the HTTP proxy at ${HOST}:${server.port} as the proxy answered ${reason}`,
    );
  });
}

for (
  const [what, answer, offset] of [
    ["an SSH banner", "SSH-2.0-OpenSSH_9.2\r\n", 0],
    ["a TLS alert", "\x15\x03\x01\x00\x02\x02\x50", 0],
    ["HTTP/2", "HTTP/2 200\r\n\r\n", 5],
    ["no status", "HTTP/1.1 OK then\r\n\r\n", 0],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", 0],
    ["a line feed alone", "HTTP/1.1 200 OK\n\n\n\n", 15],
    ["a carriage return alone", "HTTP/1.1 200 OK\rX: y", 16],
    ["a zero byte", "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", 20],
    [
      "garbage after an interim answer",
      "HTTP/1.1 100 Continue\r\n\r\ngarbage",
      25,
    ],
  ] as const
) {
  Deno.test(`An answer of an HTTP proxy that is ${what} is a FramingError at offset ${offset}`, async () => {
    await using server = serveAnswer(answer);
    const error = await assertRejects(
      () => connectThrough(server.port),
      FramingError,
      `the proxy's answer is no HTTP/1 response at offset ${offset}`,
    );
    assertEquals(error.offset, offset);
  });
}

for (
  const [what, repeated] of [
    ["one line", "x"],
    ["lines", "Header: value\r\n"],
    ["interim answers", "\r\nHTTP/1.1 100 Continue\r\n"],
  ] as const
) {
  Deno.test(`A header of endless ${what} from an HTTP proxy is given up after 16 KiB`, async () => {
    let sent = 0;
    await using server = serveConns(async (conn) => {
      await readRequest(conn);
      await writeAll(conn, bytes("HTTP/1.1 100 Continue\r\n"));
      for (;;) sent += await conn.write(bytes(repeated.repeat(100)));
    });
    const error = await assertRejects(
      () => connectThrough(server.port),
      BufferOverflowError,
      "must be <= 16384 bytes",
    );
    assertEquals(error.limit, 16_384);
  });
}

Deno.test("An HTTP proxy that hangs up in its answer is a ConnectionLostError", async () => {
  await using server = serveConns(async (conn) => {
    await readRequest(conn);
    await writeAll(conn, bytes("HTTP/1.1 200 OK\r\n"));
  });
  await assertRejects(
    () => connectThrough(server.port),
    ConnectionLostError,
    "the proxy closed the connection after 17 bytes of its answer",
  );
});

Deno.test("Credentials and targets that HTTP cannot carry are refused before anything is connected", async () => {
  for (
    const [proxy, host] of [
      [{ username: "a:b", password: "c" }, "a.b"],
      [{ username: "a", password: "b\r\nX: y" }, "a.b"],
      [{ password: "b" }, "a.b"],
      [{}, "a.b\r\nX: y"],
      [{}, "a b"],
      [{}, ""],
      [{}, "-oProxyCommand=x"],
      [{}, "fe80::1%eth0"],
      [{}, "bücher.example"],
      [{}, "a".repeat(256)],
      [{ host: "a b" }, "a.b"],
    ] as const
  ) {
    await assertRejects(() => connectThrough(1, proxy, host), TypeError);
  }
  await assertRejects(() => connectThrough(0), RangeError);
  await assertRejects(() => connectThrough(65_536), RangeError);
});
