import { assertEquals, assertRejects } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import {
  ConnectionLostError,
  FramingError,
  type Socks5Proxy,
  TunneledSocketStream,
} from "@sluice/sluice";
import {
  HOST,
  readExactly,
  serveConns,
  writeAll,
} from "../../factories/_tunnel_peers.ts";

const GRANTED = "05000001000000000000";

/** A step of a conversation in hexadecimal digits: `[what the proxy reads, what it answers]`. */
type Step = readonly [request: string, answer: string];

/** A proxy that holds one conversation, and hangs up unless it is to wait. */
function servePlayed(steps: readonly Step[]) {
  const wrong: string[] = [];
  const server = serveConns(async (conn) => {
    for (const [request, answer] of steps) {
      const received = await readExactly(conn, request.length / 2);
      if (encodeHex(received) !== request) wrong.push(encodeHex(received));
      await writeAll(conn, decodeHex(answer));
    }
  });
  return { server, wrong };
}

function connectThrough(
  port: number,
  proxy: Partial<Socks5Proxy> = {},
  host = "a.b",
): Promise<TunneledSocketStream> {
  return TunneledSocketStream.connect(host, 0x1234, {
    via: { socks5: { host: HOST, port, ...proxy } },
  });
}

for (
  const [what, host, address] of [
    ["a name as it is, for the proxy to resolve", "a.b", "0303612e62"],
    ["an IPv4 address", "192.0.2.1", "01c0000201"],
    ["an IPv6 address", "2001:db8::1", "0420010db8000000000000000000000001"],
    ["the IPv6 address of all zeros", "::", "04" + "00".repeat(16)],
    ["an IPv6 address with an end", "1::", "040001" + "00".repeat(14)],
    [
      "an IPv6 address in full",
      "1:2:3:4:5:6:7:8",
      "0400010002000300040005000600070008",
    ],
    [
      "an IPv6 address that holds one of IPv4",
      "::ffff:192.0.2.1",
      "0400000000000000000000ffffc0000201",
    ],
  ]
) {
  Deno.test(`The request to a SOCKS5 proxy carries ${what}`, async () => {
    const { server, wrong } = servePlayed([
      ["050100", "0500"],
      [`050100${address}1234`, `${GRANTED}6869`],
    ]);
    await using _ = server;
    await using stream = await connectThrough(server.port, {}, host);
    assertEquals(await stream.read(2), new TextEncoder().encode("hi"));
    assertEquals(wrong, []);
  });
}

Deno.test("A SOCKS5 proxy gets user name and password as RFC 1929 says, if it asks", async () => {
  const request = "05010003" + "03612e62" + "1234";
  const credentials = { username: "us", password: "£" };
  for (
    const steps of [
      [["05020002", "0502"], ["01027573" + "02c2a3", "0100"], [
        request,
        GRANTED,
      ]],
      [["05020002", "0500"], [request, GRANTED]],
    ] as const
  ) {
    const { server, wrong } = servePlayed(steps);
    await using _ = server;
    await using stream = await connectThrough(server.port, credentials);
    assertEquals(await stream.read(1), null);
    assertEquals(wrong, []);
  }
});

for (
  const [what, address] of [
    ["a name", "03047465737400"],
    ["an IPv6 address", "04" + "00".repeat(16) + "00"],
  ]
) {
  Deno.test(`A SOCKS5 proxy may say that it connects from ${what}`, async () => {
    const answer = `050000${address}00` + "6869";
    const { server } = servePlayed([
      ["050100", "0500"],
      ["0501000303612e621234", answer],
    ]);
    await using _ = server;
    await using stream = await connectThrough(server.port);
    assertEquals(await stream.read(2), new TextEncoder().encode("hi"));
  });
}

for (
  const [code, reason] of [
    ["01", "1, general SOCKS server failure"],
    ["02", "2, connection not allowed by ruleset"],
    ["03", "3, network unreachable"],
    ["04", "4, host unreachable"],
    ["05", "5, connection refused"],
    ["06", "6, TTL expired"],
    ["07", "7, command not supported"],
    ["08", "8, address type not supported"],
    ["5b", "91, unassigned reply code 91"],
  ]
) {
  Deno.test(`The reply ${reason} of a SOCKS5 proxy is a ConnectionLostError that says so`, async () => {
    const { server } = servePlayed([
      ["050100", "0500"],
      ["0501000303612e621234", `05${code}0001000000000000`],
    ]);
    await using _ = server;
    const error = await assertRejects(
      () => connectThrough(server.port),
      ConnectionLostError,
    );
    assertEquals(
      error.message,
      `Cannot connect to a.b:4660 through the SOCKS5 proxy at ${HOST}:${server.port} as the proxy answered ${reason}`,
    );
  });
}

const ASKED: Step = ["05020002", "0502"];
const LET_IN: Step = ["0101750170", "0100"];
const TARGET = "0501000303612e621234";

for (
  const [what, steps, offset] of [
    ["HTTP", [["05020002", "48545450"]], 0],
    ["of version 4", [["05020002", "0400"]], 0],
    ["a method that was not offered", [["05020002", "0501"]], 1],
    [
      "another version of authentication",
      [ASKED, ["0101750170", "0500"]],
      2,
    ],
    [
      "a reply of another version",
      [ASKED, LET_IN, [TARGET, "0400000100000000"]],
      4,
    ],
    [
      "a reserved byte that is not zero",
      [ASKED, LET_IN, [TARGET, "0500010100000000"]],
      6,
    ],
    [
      "an unknown type of address",
      [ASKED, LET_IN, [TARGET, "0500000200000000"]],
      7,
    ],
  ] as [string, Step[], number][]
) {
  Deno.test(`An answer of a SOCKS5 proxy that is ${what} is a FramingError at offset ${offset}`, async () => {
    const { server } = servePlayed(steps);
    await using _ = server;
    const error = await assertRejects(
      () => connectThrough(server.port, { username: "u", password: "p" }),
      FramingError,
      `the proxy's answer is not SOCKS5 at offset ${offset}`,
    );
    assertEquals(error.offset, offset);
  });
}

Deno.test("A SOCKS5 proxy that hangs up at any byte of its answers is a ConnectionLostError", async () => {
  const whole = `0500${GRANTED}`;
  for (let length = 0; length < whole.length / 2; length++) {
    await using server = serveConns(async (conn) => {
      const answer = decodeHex(whole.slice(0, 2 * length));
      await readExactly(conn, 3);
      await writeAll(conn, answer.subarray(0, 2));
      if (length < 2) return;
      await readExactly(conn, 10);
      await writeAll(conn, answer.subarray(2));
    });
    await assertRejects(
      () => connectThrough(server.port),
      ConnectionLostError,
      `the proxy closed the connection after ${length} bytes of its answer`,
    );
  }
});

Deno.test("Credentials that SOCKS5 cannot carry are refused before anything is connected", async () => {
  for (
    const proxy of [
      { username: "", password: "p" },
      { username: "u", password: "" },
      { username: "é".repeat(128), password: "p" },
      { username: "u", password: "p".repeat(256) },
    ]
  ) {
    await assertRejects(() => connectThrough(1, proxy), RangeError);
  }
  for (const proxy of [{ username: "u" }, { password: "p" }]) {
    await assertRejects(() => connectThrough(1, proxy), TypeError);
  }
});
