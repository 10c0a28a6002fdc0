import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { fromFileUrl } from "@std/path/from-file-url";
import {
  Channel,
  ConnectionLostError,
  createSocketStream,
  StreamClosedError,
} from "@sluice/sluice";
import { Float, type Value } from "../../examples/_brine.ts";
import {
  HANDLER,
  PythonError,
  type RemoteObject,
  RpycConnection,
} from "../../examples/call_python.ts";
import { peerTest, rpyc } from "../_peers.ts";
import { rpycVersion, startPython } from "../rpyc/_python.ts";
import { type Meeting, SSH_TUNNEL, TRANSPORTS } from "../rpyc/_transports.ts";
import golden5 from "../rpyc/golden_conversation_5.json" with { type: "json" };
import golden6 from "../rpyc/golden_conversation_6.json" with { type: "json" };

const [TCP] = TRANSPORTS;

// Against RPyC's bytes, without Python

/** Two channels that are each other's peer. */
function channelPair(): [Channel, Channel] {
  const there = new TransformStream<Uint8Array, Uint8Array>();
  const back = new TransformStream<Uint8Array, Uint8Array>();
  return [
    new Channel({ readable: back.readable, writable: there.writable }),
    new Channel({ readable: there.readable, writable: back.writable }),
  ];
}

for (const [version, golden] of [[5, golden5], [6, golden6]] as const) {
  Deno.test(`RpycConnection says what RPyC ${golden.rpyc} would say, and understands its answers`, async () => {
    const [ours, theirs] = channelPair();
    const script = golden.messages.map(([direction, frame]) => ({
      direction,
      message: decodeHex(frame!).subarray(5, -1),
    }));
    const playing = (async () => {
      await using peer = theirs;
      for (const { direction, message } of script) {
        if (direction === "reply") await peer.send(message);
        else assertEquals(encodeHex((await peer.recv())!), encodeHex(message));
      }
    })();
    const connection = new RpycConnection(ours, version);
    await connection.ping("hi");
    const root = await connection.root();
    assertEquals(root.type, "__main__.Calculator");
    assertEquals(await root.get("name"), "calculator");
    assertEquals(await root.callMethod("add", [2], { right: 3 }), 5);
    const error = await assertRejects(
      () => root.callMethod("divide", [1, 0]),
      PythonError,
      "builtins.ZeroDivisionError: integer division or modulo by zero",
    );
    assertEquals(error.attributes.get("_remote_version"), golden.rpyc);
    assertEquals(error.traceback, "<traceback denied>");
    const counter = await root.callMethod("counter", [7]) as RemoteObject;
    assertEquals(await counter.get("value"), 7);
    await counter.release();
    await connection.close();
    await playing;
  });
}

/** A peer that answers the pings of RPyC 5, and to all else says good-bye as RPyC 5 does. */
async function pretendOldPeer(channel: Channel): Promise<void> {
  await using peer = channel;
  for await (const message of peer) {
    if (message[0] !== 0x12 || message.length <= 8) {
      await peer.send(decodeHex("1251501152115102"));
      return;
    }
    // From (1, seq, (1, (1, (text,)))) to (2, seq, (1, text)).
    const [seq, text] = [message[2]!, message.subarray(8)];
    await peer.send(Uint8Array.of(0x12, 0x52, seq, 0x11, 0x51, ...text));
  }
}

Deno.test("RpycConnection.open speaks to an older RPyC after it has found out", async () => {
  const peers: Promise<void>[] = [];
  const open = () => {
    const [ours, theirs] = channelPair();
    peers.push(pretendOldPeer(theirs));
    return Promise.resolve(ours);
  };
  const connection = await RpycConnection.open(open);
  assertEquals(connection.version, 5);
  assertEquals(peers.length, 2);
  await connection.close();
  await Promise.all(peers);
});

Deno.test("RpycConnection fails every call with one error when the peer sends no brine", async () => {
  const [ours, theirs] = channelPair();
  await using connection = new RpycConnection(ours);
  const calls = [connection.ping(), connection.root(), connection.ping()];
  await theirs.send(Uint8Array.of(2, 0xff));
  const settled = await Promise.allSettled(calls);
  const reasons = settled.map((s) => s.status === "rejected" && s.reason);
  assertInstanceOf(reasons[0], SyntaxError);
  assertEquals(new Set(reasons).size, 1);
  await assertRejects(() => connection.ping(), SyntaxError);
  theirs.abort();
});

Deno.test("RpycConnection ignores keep-alives and answers to nothing", async () => {
  const [ours, theirs] = channelPair();
  const connection = new RpycConnection(ours);
  await theirs.send(new Uint8Array());
  await theirs.send(decodeHex("02" + "11ee" + "1151080b6869"));
  const pinging = connection.ping("hi");
  assertEquals(encodeHex((await theirs.recv())!), "0111501151115110080b6869");
  await theirs.send(decodeHex("02" + "1150" + "1151080b6869"));
  await pinging;
  const closing = connection.close();
  assertEquals(encodeHex((await theirs.recv())!), "0111511152115102");
  await theirs.close();
  await closing;
});

// Against Python

async function connectTo(meeting: Meeting): Promise<RpycConnection> {
  return new RpycConnection(new Channel(meeting.stream), await rpycVersion());
}

/** What the issue of a first program is: a bit of everything. */
async function talk(meeting: Meeting): Promise<void> {
  await using connection = await connectTo(meeting);
  await connection.ping();
  const root = await connection.root();
  assertEquals(root.type, "__main__.TestService");
  assertStringIncludes(String(await root.get("version")), ".");
  assertEquals(await root.callMethod("add", [1]), 11);
  assertEquals(
    await root.callMethod("add", [1], { right: 2n ** 70n }),
    2n ** 70n + 1n,
  );
  assertEquals(await root.callMethod("add", ["a", "b"]), "ab");
  await assertRejects(() => root.callMethod("divide", [1, 0]), PythonError);
  const blob = await root.callMethod("bytes", [1_000_000]);
  assertEquals(blob, new Uint8Array(1_000_000));
  {
    await using counter = await root.callMethod("counter", [3]) as RemoteObject;
    assertEquals(await counter.str(), "<counter at 3>");
    assertEquals(await root.callMethod("alive"), 2);
  }
  assertEquals(await root.callMethod("alive"), 1);
  assertEquals(
    await root.callMethod("ping_back", ["still there"]),
    "still there",
  );
  // All at once: over TLS, RPyC must not get two in one record.
  const numbers = Array.from({ length: 50 }, (_, index) => index);
  const sums = numbers.map((number) =>
    root.callMethod("add", [number, number])
  );
  assertEquals(await Promise.all(sums), numbers.map((number) => 2 * number));
  await connection.close();
  await meeting.finish();
}

for (const { name, needs, connect, accept } of [...TRANSPORTS, SSH_TUNNEL]) {
  peerTest(
    needs,
    `RpycConnection calls a Python service over ${name}`,
    async () => {
      await using meeting = await connect("service_peer.py", []);
      await talk(meeting);
    },
  );

  if (!accept) continue;
  peerTest(
    needs,
    `RpycConnection calls a Python service that connected over ${name}`,
    async () => {
      await using meeting = await accept("service_peer.py", []);
      await talk(meeting);
    },
  );
}

/** A test with a service over TCP. */
function serviceTest(
  name: string,
  test: (root: RemoteObject, connection: RpycConnection) => Promise<void>,
): void {
  peerTest(rpyc, name, async () => {
    await using meeting = await TCP.connect("service_peer.py", []);
    await using connection = await connectTo(meeting);
    await test(await connection.root(), connection);
    await connection.close();
    await meeting.finish();
  });
}

serviceTest(
  "Values arrive in Python as what they are, and come back the same",
  async (root) => {
    const values: [value: Value, type: string, repr: string][] = [
      [null, "NoneType", "None"],
      [true, "bool", "True"],
      [false, "bool", "False"],
      [0, "int", "0"],
      [-1, "int", "-1"],
      [160, "int", "160"],
      [Number.MAX_SAFE_INTEGER, "int", "9007199254740991"],
      [2n ** 53n, "int", "9007199254740992"],
      [-(2n ** 64n), "int", "-18446744073709551616"],
      [10n ** 300n, "int", "1" + "0".repeat(300)],
      [1.5, "float", "1.5"],
      [-0, "float", "-0.0"],
      [1e300, "float", "1e+300"],
      [Infinity, "float", "inf"],
      [NaN, "float", "nan"],
      ["", "str", "''"],
      ["grüße 🌊", "str", "'grüße 🌊'"],
      ["\ufeffx\u0000", "str", "'\\ufeffx\\x00'"],
      [new Uint8Array(), "bytes", "b''"],
      [Uint8Array.of(0, 255, 10), "bytes", "b'\\x00\\xff\\n'"],
      [[], "tuple", "()"],
      [[1, ["two", [null]]], "tuple", "(1, ('two', (None,)))"],
      [new Set<Value>([5]), "frozenset", "frozenset({5})"],
    ];
    for (const [value, type, repr] of values) {
      assertEquals(await root.callMethod("describe", [value]), [type, repr]);
      const [back] = await root.callMethod("echo", [value]) as Value[];
      if (typeof value === "object" && value !== null) {
        assertEquals(
          back,
          value,
        );
      } else assertStrictEquals(back, value);
    }
    assertEquals(await root.callMethod("describe", [new Float(1)]), [
      "float",
      "1.0",
    ]);
  },
);

serviceTest(
  "Positional and keyword arguments arrive in their places",
  async (root) => {
    assertEquals(await root.callMethod("call"), [[], []]);
    assertEquals(await root.callMethod("call", [1, [2, 3]]), [[1, [2, 3]], []]);
    assertEquals(
      await root.callMethod("call", [1], { b: "x", a: null }),
      [[1], [["a", null], ["b", "x"]]],
    );
  },
);

serviceTest(
  "A Python exception is an error with type, arguments, attributes and traceback",
  async (root) => {
    const divided = await assertRejects(
      () => root.callMethod("divide", [1, 0]),
      PythonError,
    );
    assertEquals(divided.type, "builtins.ZeroDivisionError");
    assertEquals(divided.args, ["integer division or modulo by zero"]);
    assertStringIncludes(
      divided.traceback,
      "Traceback (most recent call last)",
    );
    assertStringIncludes(divided.traceback, "in exposed_divide");

    const exceeded = await assertRejects(
      () => root.callMethod("exceed", [7, 5]),
      PythonError,
    );
    assertEquals(exceeded.type, "__main__.QuotaError");
    assertEquals(exceeded.args, ["7 of 5 used", 7]);
    assertEquals(exceeded.attributes.get("limit"), 5);
    assertEquals(exceeded.message, "__main__.QuotaError: 7 of 5 used, 7");

    const stopped = await assertRejects(
      () => root.callMethod("stop"),
      PythonError,
    );
    assertEquals(stopped.type, "builtins.StopIteration");

    const types = [];
    for (
      const call of [
        () => root.get("secret"),
        () => root.callMethod("add"),
        () => root.callMethod("add", [1, "x"]),
      ]
    ) {
      types.push((await assertRejects(call, PythonError)).type);
    }
    assertEquals(types, [
      "builtins.AttributeError",
      "builtins.TypeError",
      "builtins.TypeError",
    ]);
    // The conversation goes on after each.
    assertEquals(await root.callMethod("add", [1, 2]), 3);
  },
);

serviceTest(
  "A remote object is released after as many releases as it was received",
  async (root) => {
    const held = () => root.callMethod("held");
    const first = await root.callMethod("same") as RemoteObject;
    const [number, second, [text, third]] = await root.callMethod("mixed") as [
      number,
      RemoteObject,
      [string, RemoteObject],
    ];
    assertEquals([number, text], [1, "two"]);
    assertStrictEquals(first, second);
    assertStrictEquals(first, third);
    assertEquals(await held(), [["<counter at 100>", 3]]);
    await first.release();
    await second.release();
    assertEquals(await held(), [["<counter at 100>", 3]]);
    assertEquals(await first.get("value"), 100);
    await third.release();
    assertEquals(await held(), []);
    await third.release(); // once more does nothing
    await assertRejects(() => third.get("value"), TypeError, "released");

    const again = await root.callMethod("same") as RemoteObject;
    assertEquals(await again.get("value"), 100);
    assertEquals(await held(), [["<counter at 100>", 1]]);
  },
);

serviceTest(
  "A remote object is called, read, and sent back as itself",
  async (root) => {
    const counter = await root.callMethod("counter", [5]) as RemoteObject;
    assertEquals(counter.type, "__main__.Counter");
    assertEquals(await counter.callMethod("add", [2], { times: 3 }), 11);
    assertEquals(await counter.call([4]), 15);
    assertEquals(await root.callMethod("value_of", [counter]), [true, 15]);
    const [[back, ...rest]] = await root.callMethod("echo", [[counter, 1, [
      counter,
    ]]]) as [[RemoteObject, ...Value[]]];
    assertStrictEquals(back, counter);
    assertEquals(rest.length, 2);
    await using copy = await counter.callMethod("copy") as RemoteObject;
    assert(copy !== counter);
    assertEquals(await copy.get("value"), 15);
  },
);

serviceTest(
  "An object of another conversation is refused before it is sent",
  async (root) => {
    await using meeting = await TCP.connect("service_peer.py", []);
    await using other = await connectTo(meeting);
    const stranger = await other.root();
    await assertRejects(
      () => root.callMethod("echo", [stranger]),
      TypeError,
      "another peer",
    );
    assertEquals(await root.callMethod("add", [1, 2]), 3);
  },
);

serviceTest(
  "The peer's ping is answered, and what it must not ask is refused with an exception",
  async (root) => {
    assertEquals(
      await root.callMethod("ping_back", ["x".repeat(5000)]),
      "x".repeat(5000),
    );
    for (const handler of [HANDLER.getRoot, HANDLER.dir, 99]) {
      const [type, text] = await root.callMethod("ask", [handler]) as [
        string,
        string,
      ];
      assertEquals(type, "NotImplementedError");
      assertStringIncludes(text, `Cannot serve handler ${handler}`);
    }
    // An object in such a request is given back.
    const counter = await root.callMethod("counter") as RemoteObject;
    await root.callMethod("ask", [HANDLER.str, counter]);
    assertEquals(await root.callMethod("held"), [["<counter at 0>", 2]]);
    await counter.release();
    assertEquals(await root.callMethod("held"), []);
  },
);

serviceTest(
  "Large arguments and results pass, compressed by RPyC or not",
  async (root) => {
    const random = new Uint8Array(3 << 20);
    for (let offset = 0; offset < random.length; offset += 65536) {
      crypto.getRandomValues(random.subarray(offset, offset + 65536));
    }
    const [echo] = await root.callMethod("echo", [random]) as [Uint8Array];
    assert(echo.every((byte, index) => byte === random[index]));
    const zeros = await root.callMethod("bytes", [8 << 20]) as Uint8Array;
    assertEquals(zeros.length, 8 << 20);
    assert(zeros.every((byte) => byte === 0));
  },
);

peerTest(
  rpyc,
  "Calls fail with ConnectionLostError when the service hangs up",
  async () => {
    await using meeting = await TCP.connect("service_peer.py", []);
    await using connection = await connectTo(meeting);
    const root = await connection.root();
    await assertRejects(() => root.callMethod("hang_up"), ConnectionLostError);
    await assertRejects(() => connection.ping(), ConnectionLostError);
    await root.release(); // has nobody to tell, and is no error
  },
);

for (const { name, needs, connect } of [...TRANSPORTS, SSH_TUNNEL]) {
  peerTest(
    needs,
    `Calls fail with ConnectionLostError when Python is killed over ${name}`,
    async () => {
      await using meeting = await connect("service_peer.py", []);
      await using connection = await connectTo(meeting);
      const root = await connection.root();
      const calls = [root.callMethod("die"), connection.ping()];
      for (const result of await Promise.allSettled(calls)) {
        assert(result.status === "rejected");
        assertInstanceOf(result.reason, ConnectionLostError);
      }
      await assertRejects(() => meeting.finish(), Error, "ended with SIGKILL");
    },
  );
}

peerTest(
  rpyc,
  "Calls under way when the connection is closed fail with StreamClosedError",
  async () => {
    await using meeting = await TCP.connect("service_peer.py", []);
    const connection = await connectTo(meeting);
    const calls = [connection.ping(), connection.root()];
    const settled = Promise.allSettled(calls);
    await connection.close();
    for (const result of await settled) {
      assert(result.status === "rejected");
      assertInstanceOf(result.reason, StreamClosedError);
    }
    await assertRejects(() => connection.ping(), StreamClosedError);
    await connection.close();
    await meeting.finish();
  },
);

peerTest(
  rpyc,
  "RpycConnection.open finds out how the installed RPyC writes its messages",
  async () => {
    await using peer = await startPython("service_peer.py", [
      "--keep",
      "--listen",
      "tcp",
    ]);
    await using connection = await RpycConnection.open(async () =>
      new Channel(await createSocketStream("127.0.0.1", peer.port))
    );
    assertEquals(connection.version, await rpycVersion());
  },
);

peerTest(
  rpyc,
  "call_python.ts is a program that lists and calls what a service has",
  async () => {
    await using peer = await startPython("service_peer.py", [
      "--keep",
      "--listen",
      "tcp",
    ]);
    const run = async (...args: string[]) => {
      const path = (name: string) =>
        fromFileUrl(new URL(`../../${name}`, import.meta.url));
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--no-check",
          "--allow-net=127.0.0.1",
          "--config",
          path("deno.json"),
          path("examples/call_python.ts"),
          ...args,
        ],
        env: { NO_COLOR: "1" },
      }).output();
      return {
        code,
        out: new TextDecoder().decode(stdout),
        err: new TextDecoder().decode(stderr),
      };
    };
    const there = ["127.0.0.1", `${peer.port}`];
    const [list, sum, failure, usage] = await Promise.all([
      run(...there),
      run(...there, "add", "2", "right=40000000000000000000"),
      run(...there, "divide", "1", "0"),
      run("127.0.0.1"),
    ]);
    assertEquals(list.code, 0, list.err);
    assertStringIncludes(list.out, "__main__.TestService (RPyC ");
    assertStringIncludes(list.out, "\n  ping_back\n");
    assertEquals([sum.code, sum.out], [0, "40000000000000000002n\n"]);
    assertEquals([failure.code, failure.out], [1, ""]);
    assertStringIncludes(failure.err, "builtins.ZeroDivisionError");
    assertStringIncludes(failure.err, "in exposed_divide");
    assertEquals(usage.code, 2);
    assertStringIncludes(usage.err, "usage: call_python.ts HOST PORT");
  },
);
