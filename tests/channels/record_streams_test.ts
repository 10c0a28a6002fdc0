import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLessOrEqual,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { deadline } from "@std/async/deadline";
import { concat } from "@std/bytes/concat";
import {
  ConnectionLostError,
  EncryptionError,
  RecordDecryptionStream,
  RecordEncryptionStream,
} from "@sluice/sluice";
import { CipherState } from "../../channels/_noise/cipher_state.ts";
import type { RecordStreamTestOptions } from "../../channels/_record.ts";
import {
  around,
  cut,
  isPending,
  noise,
  randomOf,
  reasonOf,
  seed,
  settle,
} from "./_support.ts";

const KEY = Uint8Array.from({ length: 32 }, (_, i) => 255 - i);
const MAX_BODY = 65_518;
const READY = 0;
const DATA = 1;
const CLOSE = 2;
const NONE = new Uint8Array(0);
const END = new Uint8Array([0]);

/** Records made by hand, independently of the sealing code but for the cipher itself. */
async function recordsOf(
  ...plaintexts: [type: number, body: Uint8Array][]
): Promise<Uint8Array[]> {
  const cipher = await CipherState.create(KEY);
  return plaintexts.map(([type, body]) => {
    const length = 1 + body.byteLength + 16;
    const header = new Uint8Array([length >> 8, length & 255]);
    const plaintext = concat([new Uint8Array([type]), body]);
    return concat([header, cipher.encryptSync(header, plaintext)]);
  });
}

/** The types and bodies of records, taken apart by hand. */
async function parse(
  bytes: Uint8Array,
): Promise<[type: number, body: Uint8Array][]> {
  const cipher = await CipherState.create(KEY);
  const result: [number, Uint8Array][] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const end = at + 2 + (bytes[at]! << 8 | bytes[at + 1]!);
    const header = bytes.slice(at, at + 2);
    const plaintext = cipher.decryptSync(header, bytes.slice(at + 2, end));
    result.push([plaintext[0]!, plaintext.slice(1)]);
    at = end;
  }
  return result;
}

function encrypt(
  chunks: Iterable<Uint8Array>,
  options?: RecordStreamTestOptions,
): Promise<Uint8Array[]> {
  const stage = new RecordEncryptionStream(KEY, options);
  return Array.fromAsync(ReadableStream.from(chunks).pipeThrough(stage));
}

/** What comes out until the end, and the error if that was one. */
async function decrypt(
  chunks: Iterable<Uint8Array>,
  options?: RecordStreamTestOptions,
): Promise<{ chunks: Uint8Array[]; error?: unknown }> {
  const result: Uint8Array[] = [];
  const stage = new RecordDecryptionStream(KEY, options);
  try {
    for await (const chunk of ReadableStream.from(chunks).pipeThrough(stage)) {
      result.push(chunk);
    }
    return { chunks: result };
  } catch (error) {
    return { chunks: result, error };
  }
}

Deno.test("RecordEncryptionStream makes the records of PROTOCOL.md: READY, DATA, CLOSE", async () => {
  const made = concat(await encrypt([noise(5), noise(300)]));
  const expected = await recordsOf(
    [READY, NONE],
    [DATA, noise(5)],
    [DATA, noise(300)],
    [CLOSE, END],
  );
  assertEquals(made, concat(expected));
});

Deno.test("RecordEncryptionStream sends no READY for a responder", async () => {
  const made = concat(await encrypt([], { sender: "responder" }));
  assertEquals(made, concat(await recordsOf([CLOSE, END])));
});

Deno.test("RecordEncryptionStream cuts what is too long for a record into 64,000 bytes and makes no empty one", async () => {
  for (const size of around(1, 4095, MAX_BODY, 128_000, 192_000)) {
    const [, ...records] = await parse(concat(await encrypt([noise(size)])));
    const data = records.slice(0, -1);
    const most = size <= MAX_BODY ? MAX_BODY : 64_000;
    assertEquals(data.length, Math.ceil(size / most));
    assert(data.every(([type, body]) => type === DATA && body.byteLength > 0));
    assertEquals(concat(data.map(([, body]) => body)), noise(size));
    assertEquals(records.at(-1), [CLOSE, END]);
  }
});

Deno.test("RecordEncryptionStream passes zero-length chunks on in their places", async () => {
  const input = [NONE, noise(70_000), NONE, NONE, noise(1), NONE];
  const output = await encrypt(input, { sender: "responder" });
  const cipher = await CipherState.create(KEY);
  let place = "";
  for (const chunk of output) {
    if (chunk.byteLength === 0) place += "|";
    for (let at = 0; at < chunk.byteLength;) {
      const end = at + 2 + (chunk[at]! << 8 | chunk[at + 1]!);
      const header = chunk.slice(at, at + 2);
      place += cipher.decryptSync(header, chunk.slice(at + 2, end))[0];
      at = end;
    }
  }
  assertEquals(place, "|11||1|2");
});

Deno.test("RecordEncryptionStream has copied a chunk when its write settles", async () => {
  const stage = new RecordEncryptionStream(KEY);
  const writer = stage.writable.getWriter();
  const output = Array.fromAsync(stage.readable);
  const sent: Uint8Array[] = [];
  for (const size of [1, 4095, 4096, 70_000, 200_000, 5]) {
    const chunk = noise(size).slice();
    sent.push(chunk.slice());
    await writer.write(chunk);
    chunk.fill(0);
  }
  await writer.close();
  const { chunks, error } = await decrypt(await output);
  assertEquals(error, undefined);
  assertEquals(concat(chunks), concat(sent));
});

Deno.test("RecordEncryptionStream by itself gives memory that holds nothing but records", async () => {
  for (
    const chunk of await encrypt([noise(5), noise(60_000), noise(300_000)])
  ) {
    assertEquals(chunk.buffer.byteLength, chunk.byteLength);
  }
});

Deno.test("RecordEncryptionStream keeps a bounded number of bytes that nobody reads", async () => {
  for (const size of [0, 1, 1000, 60_000, 1_000_000]) {
    const stage = new RecordEncryptionStream(KEY);
    const writer = stage.writable.getWriter();
    let accepted = 0;
    const writing = (async () => {
      for (; accepted < 20_000; accepted++) await writer.write(noise(size));
    })();
    await settle();
    assert(await isPending(writing), `${accepted} chunks of ${size}`);
    // 128 KiB that are ready, 8 records in work, and the chunk that waits.
    assertLessOrEqual(accepted * (size + 64), 800_000 + size);
    const reason = new Error("enough");
    await stage.readable.cancel(reason);
    assertStrictEquals(await reasonOf(writing), reason);
  }
});

Deno.test("RecordEncryptionStream fails on both ends when either is given up", async () => {
  const reason = new Error("given up");
  for (const giveUp of ["abort", "cancel"] as const) {
    const stage = new RecordEncryptionStream(KEY);
    const writer = stage.writable.getWriter();
    const reader = stage.readable.getReader();
    await reader.read();
    const write = writer.write(noise(1_000_000));
    const closed = writer.closed;
    if (giveUp === "abort") await writer.abort(reason);
    else await reader.cancel(reason);
    assertStrictEquals(await reasonOf(write), reason);
    assertStrictEquals(await reasonOf(closed), reason);
    if (giveUp === "abort") {
      assertStrictEquals(await reasonOf(reader.read()), reason);
      assertStrictEquals(await reasonOf(reader.closed), reason);
    }
  }
});

Deno.test("RecordEncryptionStream can be given up while it is being closed", async () => {
  for (let turns = 0; turns < 4; turns++) {
    for (const giveUp of ["abort", "cancel"] as const) {
      const stage = new RecordEncryptionStream(KEY);
      const writer = stage.writable.getWriter();
      const write = writer.write(noise(400_000));
      const close = writer.close();
      const reader = stage.readable.getReader();
      for (let i = 0; i < turns; i++) await reader.read();
      const givenUp = giveUp === "abort" ? writer.abort() : reader.cancel();
      const reading = Array.fromAsync(
        {
          [Symbol.asyncIterator]: () => ({
            next: () => reader.read() as Promise<IteratorResult<Uint8Array>>,
          }),
        },
      );
      await Promise.allSettled([
        write,
        close,
        givenUp,
        reading,
        writer.closed,
        reader.closed,
      ]);
    }
  }
});

Deno.test("Records survive every size in every chunking, across new keys", async () => {
  const random = randomOf(seed());
  for (const rekeyInterval of [1, 2, 3, 7, 1000]) {
    const input = around(17, 4095, 16_384, MAX_BODY, 65_536).map((size) =>
      noise(size)
    );
    const options: RecordStreamTestOptions = { rekeyInterval };
    const wire = concat(await encrypt(input, options));
    const chunkings = [
      [wire],
      cut(wire, 65_536),
      cut(wire, 1000),
      cut(wire, () => 1 + Math.floor(random() * 100_000)),
      cut(wire, () => 1 + Math.floor(random() * 30)),
    ];
    for (const chunking of chunkings) {
      const { chunks, error } = await decrypt(chunking, options);
      assertEquals(error, undefined);
      assertEquals(concat(chunks), concat(input));
    }
  }
});

Deno.test("Records survive being cut into single bytes", async () => {
  const input = [noise(1), noise(3000), noise(20_000)];
  const wire = concat(await encrypt(input));
  const { chunks, error } = await decrypt(cut(wire, 1));
  assertEquals(error, undefined);
  assertEquals(concat(chunks), concat(input));
});

Deno.test("Both ends must change keys at the same records", async () => {
  const input = Array.from({ length: 20 }, () => noise(10));
  const wire = await encrypt(input, { rekeyInterval: 10 });
  const { chunks, error } = await decrypt(wire, { rekeyInterval: 11 });
  assertInstanceOf(error, EncryptionError);
  assertEquals(concat(chunks), concat(input.slice(0, 9))); // READY was the first.
});

Deno.test("RecordDecryptionStream keeps the order of long and short records", async () => {
  const random = randomOf(seed());
  const input = Array.from(
    { length: 200 },
    () => noise(random() < 0.5 ? 1 + Math.floor(random() * 50) : 60_000),
  );
  const { chunks, error } = await decrypt([concat(await encrypt(input))]);
  assertEquals(error, undefined);
  assertEquals(concat(chunks), concat(input));
});

Deno.test("RecordDecryptionStream gives chunks of at most 64 KiB that share no memory", async () => {
  const input = [200_000, 1, 1, 1, 65_518, 3000, 16_384, 20].map((size) =>
    noise(size)
  );
  const wire = await encrypt(input);
  const { chunks } = await decrypt([concat(wire)]);
  assertEquals(concat(chunks), concat(input));
  const buffers = new Set(chunks.map(({ buffer }) => buffer));
  assertEquals(buffers.size, chunks.length);
  for (const buffer of buffers) assertLessOrEqual(buffer.byteLength, 65_536);
});

Deno.test("RecordDecryptionStream joins short records to few chunks", async () => {
  const input = Array.from({ length: 1000 }, () => noise(10));
  const wire = concat(await encrypt(input));
  const stage = new RecordDecryptionStream(KEY);
  const writer = stage.writable.getWriter();
  const writing = writer.write(wire).then(() => writer.close());
  await settle();
  const chunks = await Array.fromAsync(stage.readable);
  await writing;
  assertEquals(concat(chunks), concat(input));
  assertLessOrEqual(chunks.length, 3);
});

Deno.test("RecordDecryptionStream refuses what is authentic but out of place", async () => {
  const data = noise(4);
  const ready: [number, Uint8Array] = [READY, NONE];
  const close: [number, Uint8Array] = [CLOSE, END];
  const cases: [string, [number, Uint8Array][], RecordStreamTestOptions?][] = [
    ["no READY", [[DATA, data], close]],
    ["CLOSE before READY", [close]],
    ["READY with a body", [[READY, data], close]],
    ["READY twice", [ready, ready, close]],
    ["READY of a responder", [ready, close], { sender: "responder" }],
    ["an empty DATA", [ready, [DATA, NONE], close]],
    ["CLOSE without a reason", [ready, [CLOSE, NONE]]],
    ["CLOSE with two", [ready, [CLOSE, new Uint8Array(2)]]],
    ["DATA after CLOSE", [ready, close, [DATA, data]]],
    ["CLOSE twice", [ready, close, close]],
    ...Array.from(
      { length: 253 },
      (_, i): [string, [number, Uint8Array][]] => [
        `type ${i + 3}`,
        [ready, [i + 3, data], close],
      ],
    ),
  ];
  for (const [name, plaintexts, options] of cases) {
    const wire = concat(await recordsOf(...plaintexts));
    for (const chunks of [[wire], cut(wire, 1)]) {
      const stage = new RecordDecryptionStream(KEY, options);
      const reading = Array.fromAsync(stage.readable);
      const writing = ReadableStream.from(chunks).pipeTo(stage.writable);
      const error = await reasonOf(writing);
      assertInstanceOf(error, EncryptionError, name);
      // After CLOSE the reader may have seen the end already: chunk by chunk.
      const [read] = await Promise.allSettled([reading]);
      if (read.status === "rejected") assertStrictEquals(read.reason, error);
      else assertEquals(read.value, [], name);
    }
  }
});

Deno.test("RecordDecryptionStream takes any reason of CLOSE", async () => {
  for (let reason = 0; reason < 256; reason++) {
    const wire = await recordsOf([READY, NONE], [
      CLOSE,
      new Uint8Array([reason]),
    ]);
    assertEquals(await decrypt(wire), { chunks: [] });
  }
});

Deno.test("RecordDecryptionStream refuses a length below 17 at once, after what came before", async () => {
  for (let length = 0; length < 17; length++) {
    const before = await recordsOf([READY, NONE], [DATA, noise(50_000)], [
      DATA,
      noise(3),
    ]);
    const bytes = concat([...before, new Uint8Array([0, length])]);
    for (const chunks of [[bytes], cut(bytes, 777)]) {
      const { chunks: read, error } = await decrypt(chunks);
      assertInstanceOf(error, EncryptionError);
      assertEquals(concat(read), concat([noise(50_000), noise(3)]));
    }
  }
});

Deno.test("RecordDecryptionStream fails on all four promises with one error, and nothing after the forged record comes out", async () => {
  const wire = concat(
    await encrypt([noise(30_000), noise(10), noise(30_000), noise(10)]),
  );
  const forged = wire.slice();
  forged[19 + 30_019 + 10]! ^= 1; // In the second DATA.
  const stage = new RecordDecryptionStream(KEY);
  const writer = stage.writable.getWriter();
  const reader = stage.readable.getReader();
  await writer.write(forged); // It is being decrypted.
  const error = await reasonOf(writer.closed);
  assertInstanceOf(error, EncryptionError);
  // The first record was authentic and is still there.
  assertEquals((await reader.read()).value, noise(30_000));
  assertStrictEquals(await reasonOf(reader.read()), error);
  assertStrictEquals(await reasonOf(reader.closed), error);
  assertStrictEquals(await reasonOf(writer.write(noise(1))), error);
});

Deno.test("RecordDecryptionStream takes an end before CLOSE for a lost connection", async () => {
  const wire = concat(await encrypt([noise(3000), noise(10)]));
  for (
    const end of [
      0,
      1,
      2,
      18,
      19,
      20,
      3037,
      3038,
      3039,
      wire.byteLength - 20,
      wire.byteLength - 1,
    ]
  ) {
    const { error } = await decrypt([wire.slice(0, end)]);
    assertInstanceOf(error, ConnectionLostError, `${end} bytes`);
  }
});

Deno.test("RecordDecryptionStream ends at CLOSE, however long the bytes go on to be open", async () => {
  const stage = new RecordDecryptionStream(KEY);
  const writer = stage.writable.getWriter();
  const reading = Array.fromAsync(stage.readable);
  await writer.write(concat(await encrypt([noise(3)])));
  assertEquals(await reading, [noise(3)]);
  await writer.write(NONE);
  await writer.close();
});

Deno.test("RecordDecryptionStream keeps a bounded number of bytes that nobody reads", async () => {
  for (const size of [1, 1000, 60_000]) {
    const wire = await encrypt(
      Array.from({ length: 6_000_000 / (size + 1000) }, () => noise(size)),
    );
    const stage = new RecordDecryptionStream(KEY);
    const writer = stage.writable.getWriter();
    let accepted = 0;
    const writing = (async () => {
      for (const chunk of wire) {
        await writer.write(chunk);
        accepted += chunk.byteLength;
      }
    })();
    writing.catch(() => {});
    await settle();
    await settle();
    assertLessOrEqual(accepted, 800_000);
    const reason = new Error("enough");
    await stage.readable.cancel(reason);
    if (accepted < wire.length) {
      assertStrictEquals(await reasonOf(writer.closed), reason);
    }
  }
});

Deno.test("RecordDecryptionStream takes chunks of shared memory", async () => {
  const wire = concat(await encrypt([noise(5000), noise(5)]));
  const shared = new Uint8Array(new SharedArrayBuffer(wire.byteLength));
  shared.set(wire);
  const { chunks, error } = await decrypt([shared]);
  assertEquals(error, undefined);
  assertEquals(concat(chunks), concat([noise(5000), noise(5)]));
});

Deno.test("A record stage whose reader goes away lets go of its source at once", async () => {
  for (const Stage of [RecordEncryptionStream, RecordDecryptionStream]) {
    const stage = new Stage(KEY);
    const cancelled = Promise.withResolvers<unknown>();
    const silent = new ReadableStream<Uint8Array<ArrayBuffer>>({
      cancel: (reason) => cancelled.resolve(reason),
    });
    const piping = silent.pipeTo(stage.writable);
    piping.catch(() => {});
    await settle();
    const reason = new Error("enough");
    await stage.readable.cancel(reason);
    assertStrictEquals(await deadline(cancelled.promise, 2000), reason);
    assertStrictEquals(await reasonOf(piping), reason);
  }
});

Deno.test("The record stages copy their key and refuse misuse", async () => {
  const key = KEY.slice();
  const stages = [
    new RecordEncryptionStream(key),
    new RecordDecryptionStream(key),
  ] as const;
  key.fill(0);
  const read = ReadableStream.from([noise(3)])
    .pipeThrough(stages[0]).pipeThrough(stages[1]);
  assertEquals(await Array.fromAsync(read), [noise(3)]);
  for (const Stage of [RecordEncryptionStream, RecordDecryptionStream]) {
    for (const length of [0, 16, 31, 33, 64]) {
      assertThrows(
        () => new Stage(new Uint8Array(length)),
        RangeError,
        `Cannot use traffic key as its length must be 32: current length is ${length}`,
      );
    }
    assertThrows(() => new Stage("key" as unknown as Uint8Array), TypeError);
    const sender = "client" as "initiator";
    assertThrows(() => new Stage(KEY, { sender }), TypeError, "client");
  }
});

for (const Stage of [RecordEncryptionStream, RecordDecryptionStream]) {
  Deno.test(`${Stage.name} refuses what is no Uint8Array, and lets nothing out`, async () => {
    for (
      const chunk of [new ArrayBuffer(40), new DataView(KEY.buffer), "text", 7]
    ) {
      const { writable, readable } = new Stage(KEY);
      const read = reasonOf(readable.pipeTo(new WritableStream()));
      const write = writable.getWriter().write(
        chunk as unknown as Uint8Array<ArrayBuffer>,
      );
      assertInstanceOf(await reasonOf(write), TypeError);
      assertInstanceOf(await read, TypeError);
    }
  });
}
