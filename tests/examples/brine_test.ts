import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import {
  Complex,
  decodeBrine,
  ELLIPSIS,
  encodeBrine,
  Float,
  NOT_IMPLEMENTED,
  Slice,
  type Value,
} from "../../examples/_brine.ts";
import golden from "../rpyc/golden_brine.json" with { type: "json" };
import { peerTest, python, rpyc } from "../_peers.ts";

const x = (count: number) => new Uint8Array(count).fill(0x78);
const nones = (count: number) => new Array<null>(count).fill(null);

/** What golden_brine.json holds: Python's repr of each value, and its bytes. */
const GOLDEN = golden.values.map(([name, hex]) => {
  assert(name !== undefined && hex !== undefined);
  return { name, hex };
});

/** The values of golden_brine.json, in its order, each under the start of its Python repr. */
const VALUES: [repr: string, value: Value][] = [
  ["None", null],
  ["True", true],
  ["False", false],
  ["NotImplemented", NOT_IMPLEMENTED],
  ["Ellipsis", ELLIPSIS],
  ["''", ""],
  ["'hi'", "hi"],
  ["'\\ufeffgrüße 🌊'", "\ufeffgrüße 🌊"],
  ["b''", x(0)],
  ["b'\\x00'", new Uint8Array(1)],
  ["b'ab'", Uint8Array.of(0x61, 0x62)],
  ["b'abc'", Uint8Array.of(0x61, 0x62, 0x63)],
  ["b'abcd'", Uint8Array.of(0x61, 0x62, 0x63, 0x64)],
  ["b'abcde'", Uint8Array.of(0x61, 0x62, 0x63, 0x64, 0x65)],
  ["b'xxx", x(255)],
  ["b'xxx", x(256)],
  ["()", []],
  ["(1,)", [1]],
  ["(1, 2)", [1, 2]],
  ["(1, 2, 3)", [1, 2, 3]],
  ["(1, 2, 3, 4)", [1, 2, 3, 4]],
  ["(1, 2, 3, 4, 5)", [1, 2, 3, 4, 5]],
  ["(None, None,", nones(255)],
  ["(None, None,", nones(256)],
  ["0", 0],
  ["-1", -1],
  ["1", 1],
  ["-48", -48],
  ["-49", -49],
  ["159", 159],
  ["160", 160],
  ["2147483648", 2147483648],
  ["-2147483648", -2147483648],
  ["9007199254740991", 9007199254740991],
  ["9007199254740992", 9007199254740992n],
  ["-9007199254740992", -9007199254740992n],
  ["18446744073709551616", 2n ** 64n],
  ["1000", 10n ** 254n],
  ["-1000", -(10n ** 254n)],
  ["1000", 10n ** 255n],
  ["0.0", new Float(0)],
  ["-0.0", -0],
  ["1.5", 1.5],
  ["-1.0", new Float(-1)],
  ["1e+308", new Float(1e308)],
  ["5e-324", 5e-324],
  ["inf", Infinity],
  ["-inf", -Infinity],
  ["(13+18.2j)", new Complex(13, 18.2)],
  ["slice(1, 2, 3)", new Slice(1, 2, 3)],
  ["slice(None, None, None)", new Slice(null, null, null)],
  ["frozenset({5})", new Set<Value>([5])],
  ["frozenset()", new Set<Value>()],
  ["((('deep',),),)", [[["deep"]]]],
];

Deno.test("encodeBrine writes the bytes that RPyC writes, for each kind of value", () => {
  assertEquals(VALUES.length, GOLDEN.length);
  for (const [index, [repr, value]] of VALUES.entries()) {
    const { name, hex } = GOLDEN[index]!;
    assert(name.startsWith(repr), `${name} is not ${repr}`);
    assertEquals(encodeHex(encodeBrine(value)), hex, name);
  }
});

Deno.test("decodeBrine reads the bytes that RPyC writes, for each kind of value", () => {
  for (const [index, [_, value]] of VALUES.entries()) {
    const { name, hex } = GOLDEN[index]!;
    const expected = value instanceof Float ? value.value : value;
    assertEquals(decodeBrine(decodeHex(hex)), expected, name);
  }
  assertStrictEquals(decodeBrine(decodeHex("188000000000000000")), -0);
  const nan = decodeBrine(decodeHex("187ff8000000000000"));
  assert(Number.isNaN(nan));
});

Deno.test("encodeBrine sends whole numbers as ints and all others as floats", () => {
  assertEquals(encodeBrine(1), encodeBrine(1n));
  assertEquals(encodeHex(encodeBrine(new Float(1))), "183ff0000000000000");
  // Not a safe integer: which int was meant is lost, the float is exact.
  assertEquals(encodeBrine(2 ** 53), encodeBrine(new Float(2 ** 53)));
});

Deno.test("encodeBrine refuses what Python would not read back as it was", () => {
  const error = assertThrows(() => encodeBrine("\ud800"), TypeError);
  assertEquals(
    error.message,
    "Cannot encode string as it has a lone surrogate",
  );
  assertThrows(() => encodeBrine({} as never), TypeError, "object by value");
  assertThrows(
    () => encodeBrine(undefined as never),
    TypeError,
    "undefined by value",
  );
});

Deno.test("decodeBrine gives bytes of their own, not a view of the message", () => {
  const message = decodeHex("0b6869");
  const bytes = decodeBrine(message);
  message.fill(0);
  assertEquals(bytes, Uint8Array.of(0x68, 0x69));
  assertEquals((bytes as Uint8Array).buffer.byteLength, 2);
});

Deno.test("decodeBrine refuses every truncation and any byte too many", () => {
  for (const { name, hex } of GOLDEN) {
    const bytes = decodeHex(hex);
    // The long ones at their start and end only.
    for (let length = 0; length < bytes.length; length++) {
      if (length === 20) length = Math.max(20, bytes.length - 20);
      const error = assertThrows(
        () => decodeBrine(bytes.subarray(0, length)),
        SyntaxError,
        undefined,
        `${name} cut to ${length} bytes`,
      );
      assert(error.message.startsWith("Cannot decode brine as"), error.message);
    }
    const longer = new Uint8Array([...bytes, 0]);
    assertThrows(() => decodeBrine(longer), SyntaxError, "the end");
  }
});

Deno.test("decodeBrine refuses tags, ints, text and shapes that do not exist", () => {
  const wrong: [hex: string, text: string][] = [
    ["07", "a tag"],
    ["09", "a tag"],
    ["1c", "a tag"],
    ["1f", "a tag"],
    ["f0", "a tag"],
    ["ff", "a tag"],
    ["1600", "an int"],
    ["16012d", "an int"],
    ["160430783130", "an int"], // 0x10, which BigInt() would take
    ["16022031", "an int"], // a space, which BigInt() would take
    ["0851", "bytes"],
    ["080aff", "UTF-8"],
    ["080ceda080", "UTF-8"], // a surrogate
    ["191151 51".replace(" ", ""), "a slice"],
    ["191351515151", "a slice"],
    ["1951", "a tuple"],
    ["1a51", "a tuple"],
    ["15ffffffff", "more bytes"],
    ["0fffffffff00", "more bytes"],
  ];
  for (const [hex, text] of wrong) {
    assertThrows(() => decodeBrine(decodeHex(hex)), SyntaxError, text, hex);
  }
  const digits = new Uint8Array(5000).fill(0x31);
  const long = new Uint8Array([0x17, 0, 0, 0x13, 0x88, ...digits]);
  assertThrows(() => decodeBrine(long), SyntaxError, "an int");
});

Deno.test("decodeBrine refuses nesting before it runs out of stack", () => {
  const nested = (depth: number, tag: number) => {
    const bytes = new Uint8Array(depth + 1).fill(tag);
    bytes[depth] = 0x02;
    return bytes;
  };
  assert(Array.isArray(decodeBrine(nested(200, 0x10))));
  for (const tag of [0x10, 0x08, 0x1a, 0x19]) {
    assertThrows(
      () => decodeBrine(nested(1_000_000, tag)),
      SyntaxError,
      "depth must be <= 200",
    );
  }
});

Deno.test("decodeBrine throws nothing but SyntaxError, and what it reads it writes back", () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  let state = seed;
  const random = (limit: number) => {
    // A linear congruential generator; its upper bits are good enough here.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * limit);
  };
  const examples = GOLDEN.map(({ hex }) => decodeHex(hex))
    .filter(({ length }) => length < 100);
  let read = 0;
  for (let round = 0; round < 50_000; round++) {
    const bytes = round % 2 === 0
      ? Uint8Array.from({ length: 1 + random(12) }, () => random(256))
      : examples[random(examples.length)]!.slice();
    bytes[random(bytes.length)] = random(256);
    let value: Value;
    try {
      value = decodeBrine(bytes);
    } catch (error) {
      assert(error instanceof SyntaxError, `${encodeHex(bytes)}: ${error}`);
      continue;
    }
    read++;
    assertEquals(decodeBrine(encodeBrine(value)), value, encodeHex(bytes));
  }
  assert(read > 1000, `${read} of 50000 could be read`);
});

peerTest(rpyc, "RPyC's own brine reads what encodeBrine writes", async () => {
  const script = "import sys\nfrom rpyc.core import brine\n" +
    "for line in sys.stdin:\n" +
    "    value = brine.load(bytes.fromhex(line))\n" +
    "    print(brine.dump(value).hex(), repr(value)[:60].encode('unicode_escape').decode())";
  const child = new Deno.Command(python(), {
    args: ["-c", script],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const lines = VALUES.map(([_, value]) => encodeHex(encodeBrine(value)));
  await writer.write(new TextEncoder().encode(lines.join("\n")));
  await writer.close();
  const { stdout, stderr, success } = await child.output();
  assert(success, new TextDecoder().decode(stderr));
  const answers = new TextDecoder().decode(stdout).trimEnd().split("\n");
  assertEquals(answers.map((line) => line.split(" ")[0]), lines);
});
