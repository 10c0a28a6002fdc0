import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLessOrEqual,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { delay } from "@std/async/delay";
import { concat } from "@std/bytes/concat";
import { encodeHex } from "@std/encoding/hex";
import { mock } from "node:test";
import {
  type ByteStreamPair,
  ConnectionLostError,
  DEFAULT_HANDSHAKE_TIMEOUT,
  EncryptionError,
  PipeStream,
  type SecureOptions,
  SecureStream,
  StreamClosedError,
  StreamTimeoutError,
} from "@sluice/sluice";
import type { SecureTestOptions } from "../../channels/_secure_handshake.ts";
import { hkdf } from "../../channels/_noise/hkdf.ts";
import {
  barePairs,
  byteByByte,
  CONTEXT,
  INITIATOR,
  KEY,
  openPair,
  readAll,
  recordTranscript,
  RESPONDER,
} from "./_secure.ts";
import {
  around,
  bareEnds,
  cut,
  isPending,
  JOINTS,
  manualPair,
  memoryEnds,
  noise,
  pairOf,
  randomOf,
  reasonOf,
  seed,
  settle,
} from "./_support.ts";

const NONE = new Uint8Array(0);

Deno.test("PROTOCOL.md shows the transcript that SecureStream makes, byte by byte", async () => {
  const [hello, again, world] = ["hello", "again", "world"].map(encode);
  const talk = (options: SecureTestOptions) =>
    recordTranscript([hello!, again!], [world!], options);
  const { initiator, responder } = await talk({});
  const rekeyed = await talk({ rekeyInterval: 2 });
  const psk = await hkdf(NONE, KEY.slice(), encode("sluice/1 psk"), 32);

  const hex = (bytes: Uint8Array, ...ends: number[]) =>
    ends.map((end, i) =>
      `  ${encodeHex(bytes.subarray(i === 0 ? 0 : ends[i - 1], end))}`
    );
  const [hello1, e, tag1, ready, data1, data2, close1] = hex(
    initiator,
    32,
    64,
    80,
    99,
    123,
    147,
    167,
  );
  const [hello2, re, tag2, data3, close2] = hex(
    responder,
    32,
    64,
    80,
    104,
    124,
  );
  const transcript = [
    "psk",
    `  ${encodeHex(psk)}`,
    "initiator -> HELLO",
    hello1,
    "responder -> HELLO",
    hello2,
    "initiator -> message 1",
    e,
    tag1,
    "responder -> message 2",
    re,
    tag2,
    "initiator -> READY, n = 0",
    ready,
    'initiator -> DATA "hello", n = 1',
    data1,
    'initiator -> DATA "again", n = 2',
    data2,
    "initiator -> CLOSE, n = 3",
    close1,
    'responder -> DATA "world", n = 0',
    data3,
    "responder -> CLOSE, n = 1",
    close2,
  ];
  const [, , , , , data2Rekeyed, close1Rekeyed] = hex(
    rekeyed.initiator,
    32,
    64,
    80,
    99,
    123,
    147,
    167,
  );
  const rekeyedTranscript = [
    'initiator -> DATA "again", n = 2, after one Rekey()',
    data2Rekeyed,
    "initiator -> CLOSE, n = 3",
    close1Rekeyed,
  ];
  assertEquals(initiator.byteLength, 167);
  assertEquals(responder.byteLength, 124);
  const page = await Deno.readTextFile(
    new URL("../../PROTOCOL.md", import.meta.url),
  );
  for (const block of [transcript, rekeyedTranscript]) {
    assertStringIncludes(page, "```text\n" + block.join("\n") + "\n```");
  }
});

Deno.test("SecureStream carries both directions at once over every kind of stream", async () => {
  const random = randomOf(seed());
  const sizes = around(1000, 65_518, 200_000);
  for (const [name, join] of Object.entries(JOINTS)) {
    const { near, far } = await join();
    const [a, b] = await openPair([near, far]);
    const talk = async (stream: SecureStream) => {
      for (const size of sizes) await stream.write(noise(size));
      await stream.closeWrite();
    };
    const listen = async (stream: SecureStream) => {
      const wanted = concat(sizes.map((size) => noise(size)));
      for (let at = 0; at < wanted.byteLength;) {
        const count = Math.min(
          1 + Math.floor(random() * 100_000),
          wanted.byteLength - at,
        );
        const read = await stream.read(count);
        assertEquals(read, wanted.subarray(at, at + count), name);
        at += count;
      }
      assertEquals(await stream.read(1), null, name);
    };
    await Promise.all([talk(a), talk(b), listen(a), listen(b)]);
    assertEquals(await a.finished, undefined, name);
    assertEquals(await b.finished, undefined, name);
  }
});

Deno.test("SecureStream works over a bare pair without roles, byte by byte", async () => {
  const [a, b] = await openPair(barePairs(byteByByte(), byteByByte()));
  await Promise.all([a.write(noise(1000)), b.write(noise(500))]);
  assertEquals(await b.read(1000), noise(1000));
  assertEquals(await a.read(500), noise(500));
  await Promise.all([a.closeWrite(), b.closeWrite()]);
  assertEquals([await a.read(1), await b.read(1)], [null, null]);
});

Deno.test("SecureStream resolves every combination of roles", async () => {
  const roles = ["initiator", "responder", undefined] as const;
  for (const near of roles) {
    for (const far of roles) {
      for (const swapped of [false, true]) {
        const randoms = [
          new Uint8Array(24).fill(1),
          new Uint8Array(24).fill(2),
        ];
        if (swapped) randoms.reverse();
        const opening = openPair(
          barePairs(),
          { role: near, random: randoms[0] },
          { role: far, random: randoms[1] },
        );
        if (near !== undefined && near === far) {
          await assertRejects(() => opening, EncryptionError);
          continue;
        }
        const [a, b] = await opening;
        await a.write(noise(3));
        assertEquals(await b.read(3), noise(3));
        await Promise.all([
          a.closeWrite(),
          b.closeWrite(),
          a.read(1),
          b.read(1),
        ]);
      }
    }
  }
});

Deno.test("SecureStream tells what it stands on", async () => {
  const [a, b] = await openPair(barePairs());
  assertEquals(a.info, { transport: "secure" });
  const { near, far } = await memoryEnds();
  const [c, d] = await openPair([near, far]);
  assertEquals(c.info, {
    ...near.info,
    transport: `secure+${near.info.transport}`,
  });
  for (const stream of [a, b, c, d]) stream.abort();
});

Deno.test("SecureStream ends each direction by itself", async () => {
  const { near, far } = await JOINTS["TCP"]();
  const [a, b] = await openPair([near, far]);
  await a.write(noise(10));
  await a.closeWrite();
  assertEquals(await b.read(10), noise(10));
  assertEquals(await b.read(1), null);
  await assertRejects(() => a.write(noise(1)), StreamClosedError);
  await b.write(noise(100_000)); // The other direction goes on.
  assertEquals(await a.read(100_000), noise(100_000));
  assertEquals([a.closed, b.closed], [false, false]);
  await b.closeWrite();
  assertEquals(await a.read(1), null);
  assertEquals([await a.finished, await b.finished], [undefined, undefined]);
  assertEquals([a.closed, b.closed], [true, true]);
});

Deno.test("SecureStream.close sends CLOSE, once, and the peer reads a clean end", async () => {
  for (const join of Object.values(JOINTS)) {
    const { near, far } = await join();
    const [a, b] = await openPair([near, far]);
    await a.write(noise(10));
    await Promise.all([a.close(), a.close()]);
    assertEquals(await a.finished, undefined);
    await assertRejects(() => a.read(1), StreamClosedError);
    await assertRejects(() => a.write(noise(1)), StreamClosedError);
    assertEquals(await b.read(10), noise(10));
    assertEquals(await b.read(1), null);
    await b.close();
  }
});

Deno.test("SecureStream.close gives up on a peer that does not read, after 5 s", async () => {
  const { near, far } = bareEnds();
  const [a, b] = await openPair([near, far]);
  a.write(noise(4_000_000)).catch(() => {});
  await settle();
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const closing = a.close();
    mock.timers.tick(4999);
    assert(await isPending(closing));
    mock.timers.tick(1);
    await closing;
  } finally {
    mock.timers.reset();
  }
  assertInstanceOf(await a.finished, StreamTimeoutError); // What was written is lost.
  const reading = readAll(b);
  await assertRejects(() => reading);
  await b.close();
});

Deno.test("SecureStream.abort fails every call with its reason, and the peer takes it for a lost connection", async () => {
  const { near, far } = await JOINTS["TCP"]();
  const [a, b] = await openPair([near, far]);
  const reason = new Error("given up");
  const read = reasonOf(a.read(1));
  await settle();
  a.abort(reason);
  assertStrictEquals(await read, reason);
  assertStrictEquals(await reasonOf(a.read(1)), reason);
  assertStrictEquals(await reasonOf(a.write(noise(1))), reason);
  const failure = await a.finished;
  assertInstanceOf(failure, StreamClosedError);
  assertStrictEquals(failure.cause, reason);
  await assertRejects(() => b.read(1), ConnectionLostError);
  assertInstanceOf(await b.finished, ConnectionLostError);
});

Deno.test("SecureStream.abort fails a write that waits for a peer that does not read", async () => {
  const { near, far } = bareEnds();
  const [a, b] = await openPair([near, far]);
  const reason = new Error("given up");
  let write = a.write(noise(100_000));
  const isStuck = () =>
    Promise.race([write.then(() => false), delay(100).then(() => true)]);
  while (!await isStuck()) write = a.write(noise(100_000));
  a.abort(reason);
  assertStrictEquals(await reasonOf(write), reason);
  assertInstanceOf(await a.finished, StreamClosedError);
  b.abort();
  await b.finished;
});

Deno.test("SecureStream fails its writes for a record that is not authentic, though nobody reads", async () => {
  let forged = false;
  const forger = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      const copy = chunk.slice();
      if (forged) copy[copy.length - 1]! ^= 1;
      controller.enqueue(copy);
    },
  });
  const [a, b] = await openPair(barePairs(forger));
  forged = true;
  await a.write(noise(10));
  await settle();
  assertInstanceOf(await reasonOf(b.write(noise(1))), EncryptionError);
  assertInstanceOf(await b.finished, EncryptionError);
  a.abort();
  await a.finished;
});

Deno.test("SecureStream fails both directions when the stream below ends without CLOSE", async () => {
  for (const join of Object.values(JOINTS)) {
    const { near, far } = await join();
    const options: SecureTestOptions = {};
    const opening = SecureStream.open(far, KEY, options);
    // A side that finishes the handshake and then only closes.
    const a = await SecureStream.open(near, KEY);
    const b = await opening;
    await a.write(noise(100));
    assertEquals(await b.read(100), noise(100));
    a.abort(new ConnectionLostError("gone"));
    const error = await reasonOf(b.read(1));
    assertInstanceOf(error, ConnectionLostError);
    assertStrictEquals(await reasonOf(b.write(noise(1))), error);
    assertStrictEquals(await b.finished, error);
  }
});

Deno.test("SecureStream makes a writer wait for a peer that does not read", async () => {
  const { near, far } = bareEnds();
  const [a, b] = await openPair([near, far]);
  let accepted = 0;
  const writing = (async () => {
    for (; accepted < 1000; accepted++) await a.write(noise(10_000));
  })();
  await settle();
  await settle();
  assert(await isPending(writing));
  assertLessOrEqual(accepted * 10_000, 1_500_000);
  const reading = (async () => {
    for (let i = 0; i < 1000; i++) {
      assertEquals((await b.read(10_000))!.byteLength, 10_000);
    }
  })();
  await Promise.all([writing, reading]);
  await Promise.all([a.closeWrite(), b.closeWrite(), a.read(1), b.read(1)]);
});

Deno.test("SecureStream changes keys in both directions without a pause", async () => {
  for (const rekeyInterval of [1, 2, 5]) {
    const options = { rekeyInterval };
    const [a, b] = await openPair(barePairs(), options, options);
    const sizes = [1, 3000, 70_000, 5, 5, 5, 200_000, 1];
    const wanted = concat(sizes.map((size) => noise(size)));
    const talk = async (stream: SecureStream) => {
      for (const size of sizes) await stream.write(noise(size));
      await stream.closeWrite();
    };
    const [, , first, second] = await Promise.all([
      talk(a),
      talk(b),
      readAll(a),
      readAll(b),
    ]);
    assertEquals(first, wanted);
    assertEquals(second, wanted);
  }
});

Deno.test("SecureStream.open refuses another key, on the side that can tell", async () => {
  const { near, far } = bareEnds();
  const [initiator, responder] = await Promise.allSettled([
    SecureStream.open(near, KEY, { role: "initiator" }),
    SecureStream.open(far, KEY.with(0, 1), { role: "responder" }),
  ]);
  assert(responder.status === "rejected" && initiator.status === "rejected");
  assertInstanceOf(responder.reason, EncryptionError);
});

Deno.test("SecureStream.open refuses a node that is joined to itself", async () => {
  for (const role of [undefined, "initiator", "responder"] as const) {
    const loop = new TransformStream<Uint8Array, Uint8Array>();
    await assertRejects(
      () => SecureStream.open(loop, KEY, { role }),
      EncryptionError,
    );
  }
});

Deno.test("SecureStream.open refuses two sides with the same HELLO", async () => {
  const random = new Uint8Array(24);
  const opening = openPair(barePairs(), { random }, { random });
  await assertRejects(() => opening, EncryptionError);
});

Deno.test("SecureStream.open gives up on a silent peer at its deadline, and ends both sides", async () => {
  for (
    const [timeout, option] of [[DEFAULT_HANDSHAKE_TIMEOUT, undefined], [
      50,
      50,
    ]] as const
  ) {
    for (const sent of [0, 1, 31, 32, 33, 79]) {
      const pair = manualPair();
      mock.timers.enable({ apis: ["setTimeout"] });
      try {
        const opening = SecureStream.open(pair, KEY, {
          ...RESPONDER,
          handshakeTimeout: option,
        });
        opening.catch(() => {});
        const { initiator } = await transcriptOnce();
        if (sent > 0) pair.source.enqueue(initiator.slice(0, sent));
        await settle();
        mock.timers.tick(timeout - 1);
        assert(await isPending(opening));
        mock.timers.tick(1);
        const error = await reasonOf(opening);
        assertInstanceOf(error, StreamTimeoutError);
        assertEquals(error.timeout, timeout);
        assertStrictEquals(
          await reasonOf(pair.writable.getWriter().closed),
          error,
        );
        assertEquals((await pair.readable.getReader().read()).done, true);
      } finally {
        mock.timers.reset();
      }
    }
  }
});

Deno.test("SecureStream.open waits for ever with a handshakeTimeout of 0", async () => {
  const pair = manualPair();
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const opening = SecureStream.open(pair, KEY, { handshakeTimeout: 0 });
    mock.timers.tick(2 ** 31 - 1);
    assert(await isPending(opening));
    pair.source.close();
    await assertRejects(() => opening, ConnectionLostError);
  } finally {
    mock.timers.reset();
  }
});

Deno.test("SecureStream.open gives up on a peer that takes nothing", async () => {
  const writable = new WritableStream<Uint8Array>({
    write: () => new Promise(() => {}),
  });
  const pair = pairOf(
    (async function* () {
      yield (await transcriptOnce()).responder.slice(0, 32);
      await new Promise(() => {});
    })(),
    writable,
  );
  const opening = SecureStream.open(pair, KEY, { handshakeTimeout: 20 });
  await assertRejects(() => opening, StreamTimeoutError);
});

Deno.test("SecureStream.open takes no more than 80 bytes of a peer that has proven nothing", async () => {
  const { initiator, responder } = await transcriptOnce();
  const cases: [SecureOptions, Uint8Array][] = [
    // An initiator, before it has said what a responder could answer.
    [INITIATOR, concat([responder.subarray(0, 32), new Uint8Array(1)])],
    [INITIATOR, responder],
    [INITIATOR, concat([responder.subarray(0, 32), new Uint8Array(1_000_000)])],
    // A responder, before it has answered.
    [RESPONDER, initiator.subarray(0, 81)],
    [RESPONDER, initiator],
    [RESPONDER, concat([initiator.subarray(0, 80), new Uint8Array(1_000_000)])],
    [{ context: CONTEXT }, new Uint8Array(81)],
  ];
  for (const [options, bytes] of cases) {
    for (const size of [bytes.byteLength, 33]) {
      const chunks = cut(bytes.subarray(0, 500), size);
      let taken = 0;
      const source = async function* () {
        for (const chunk of size === 33 ? chunks : [bytes]) {
          taken++;
          yield chunk;
        }
        await new Promise(() => {}); // And goes on to wait.
      };
      const opening = SecureStream.open(pairOf(source()), KEY, options);
      const error = await reasonOf(opening);
      assertInstanceOf(error, EncryptionError);
      assertLessOrEqual(taken, 3);
    }
  }
});

Deno.test("SecureStream.open takes records that come in one chunk with message 2", async () => {
  const { responder } = await transcriptOnce();
  const written = Promise.withResolvers<void>();
  let count = 0;
  const writable = new WritableStream<Uint8Array>({
    write(chunk) {
      if ((count += chunk.byteLength) >= 80) written.resolve();
    },
  });
  async function* source() {
    yield responder.slice(0, 32);
    await written.promise;
    yield responder.slice(32);
  }
  const stream = await SecureStream.open(
    pairOf(source(), writable),
    KEY,
    INITIATOR,
  );
  assertEquals(await stream.read(5), encode("world"));
  assertEquals(await stream.read(1), null);
  await stream.closeWrite();
  assertEquals(await stream.finished, undefined);
});

Deno.test("SecureStream.open passes a failure of the stream on as a lost connection", async () => {
  const cause = new Error("cable cut");
  const pair = manualPair();
  const opening = SecureStream.open(pair, KEY);
  pair.source.error(cause);
  const error = await reasonOf(opening);
  assertInstanceOf(error, ConnectionLostError);
  assertStrictEquals(error.cause, cause);
});

Deno.test("SecureStream.open takes its arguments at once and leaves them alone", async () => {
  const key = KEY.slice();
  const context = CONTEXT.slice();
  const { near, far } = bareEnds();
  const opening = SecureStream.open(near, key, { context });
  key.fill(0);
  context.fill(0);
  const other = SecureStream.open(far, KEY, { context: CONTEXT });
  const [a, b] = await Promise.all([opening, other]);
  assertEquals(KEY[31], 31);
  await Promise.all([a.closeWrite(), b.closeWrite(), a.read(1), b.read(1)]);
});

Deno.test("SecureStream.open refuses misuse before it sends anything", async () => {
  const refuse = async (
    expected: typeof TypeError | typeof RangeError,
    message: string,
    key: unknown,
    options: unknown = {},
    pair: ByteStreamPair = manualPair(),
  ) => {
    const error = await reasonOf(
      SecureStream.open(pair, key as Uint8Array, options as SecureOptions),
    );
    assertInstanceOf(error, expected);
    assertEquals(error.message, message);
  };
  await refuse(
    TypeError,
    "Cannot encrypt as key must be a Uint8Array",
    "secret",
  );
  await refuse(
    TypeError,
    "Cannot encrypt as key must be a Uint8Array",
    undefined,
  );
  for (const length of [0, 15, 65, 1000]) {
    await refuse(
      RangeError,
      `Cannot encrypt as key must be 16 to 64 bytes: current length is ${length}`,
      noise(length),
    );
  }
  for (const byte of [0, 7, 255]) {
    await refuse(
      RangeError,
      "Cannot encrypt as key must be random: all its bytes are equal",
      new Uint8Array(32).fill(byte),
    );
  }
  await refuse(
    TypeError,
    "Cannot encrypt as context must be a Uint8Array",
    KEY,
    { context: "x" },
  );
  await refuse(
    TypeError,
    "Cannot encrypt as role must be initiator or responder: current value is client",
    KEY,
    { role: "client" },
  );
  for (const handshakeTimeout of [-1, NaN, Infinity, 2 ** 31]) {
    await refuse(
      RangeError,
      `Cannot use handshakeTimeout as it must be from 0 to 2147483647 ms: current value is ${handshakeTimeout}`,
      KEY,
      { handshakeTimeout },
    );
  }
  const locked = manualPair();
  locked.readable.getReader();
  await refuse(
    TypeError,
    "Cannot encrypt as readable of the stream is locked",
    KEY,
    {},
    locked,
  );
  const untouched = manualPair();
  await refuse(
    TypeError,
    "Cannot encrypt as key must be a Uint8Array",
    null,
    {},
    untouched,
  );
  assertEquals(untouched.written, []);
  assertEquals([untouched.readable.locked, untouched.writable.locked], [
    false,
    false,
  ]);
});

Deno.test("SecureStream accepts keys of 16 to 64 bytes", async () => {
  for (const length of [16, 17, 32, 63, 64]) {
    const [near, far] = PipeStream.createPair();
    const key = noise(length);
    const [a, b] = await Promise.all([
      SecureStream.open(near, key),
      SecureStream.open(far, key),
    ]);
    await a.write(noise(9));
    assertEquals(await b.read(9), noise(9));
    await Promise.all([a.close(), b.close()]);
  }
});

let transcript: ReturnType<typeof recordTranscript> | undefined;

function transcriptOnce(): ReturnType<typeof recordTranscript> {
  return transcript ??= recordTranscript([encode("hello")], [encode("world")]);
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

Deno.test("SecureStream waits for no end of somebody else's pair, nor for what that makes of an abort", async () => {
  const [one, other] = barePairs();
  const never = new Promise(() => {});
  const [near, far] = await openPair([
    { ...one, close: () => never } as ByteStreamPair,
    {
      ...other,
      abort: () => Promise.reject(new Error("no abort")),
    } as ByteStreamPair,
  ]);
  await Promise.all([near.close(), far.closeWrite()]); // Within a second.
  assertEquals(await near.finished, undefined);
  far.abort(new Error("enough")); // Nothing that is not awaited ends the process.
  assertInstanceOf(await far.finished, StreamClosedError);
});
