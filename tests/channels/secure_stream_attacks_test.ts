/**
 * Everything that somebody who controls the network can do to a connection,
 * against a transcript that was recorded with fixed ephemeral keys: the victim
 * answers the same bytes each time, so that the recorded peer fits it.
 *
 * A case passes if what was delivered is an exact prefix of what was sent, and
 * both directions end with the one error.
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
} from "@std/assert";
import { concat, startsWith } from "@std/bytes";
import type { SecureTestOptions } from "../../channels/_secure_handshake.ts";
import { SecureStream } from "../../channels/secure_stream.ts";
import { ConnectionLostError, EncryptionError } from "../../errors.ts";
import {
  INITIATOR,
  KEY,
  recordTranscript,
  RESPONDER,
  type Transcript,
} from "./_secure.ts";

type Victim = keyof Transcript;
type Chunking = "whole" | "byte by byte";

const HANDSHAKE_LENGTH = 80;
const MESSAGES = {
  initiator: ["hello", "a", "from the initiator"].map(encode),
  responder: ["world", "of", "records"].map(encode),
};
const OPTIONS = { initiator: INITIATOR, responder: RESPONDER };
const PLAINTEXT = {
  initiator: concat(MESSAGES.initiator),
  responder: concat(MESSAGES.responder),
};
const TRANSCRIPT = await recordTranscript(
  MESSAGES.initiator,
  MESSAGES.responder,
);
/** The same conversation on another connection, with the same key. */
const OTHER_CONNECTION = await recordTranscript(
  MESSAGES.initiator,
  MESSAGES.responder,
  { ephemeral: new Uint8Array(32).fill(0x55) },
);
const VICTIMS: Victim[] = ["initiator", "responder"];

interface Outcome {
  /** What the victim read. */
  readonly delivered: Uint8Array;
  /** What reading failed with, or `undefined` if it ended cleanly. */
  readonly readFailure: unknown;
  /** What writing failed with afterwards. */
  readonly writeFailure: unknown;
  /** What `finished` told, if there was a stream. */
  readonly finished: unknown;
}

/** Lets a victim talk to recorded, and perhaps changed, bytes of its peer. */
async function replay(
  victim: Victim,
  bytes: Uint8Array,
  chunking: Chunking = "whole",
  options: SecureTestOptions = {},
  key: Uint8Array = KEY,
): Promise<Outcome> {
  const sent = Promise.withResolvers<void>(); // 80 bytes: all of its handshake
  let count = 0;
  const writable = new WritableStream<Uint8Array>({
    write(chunk) {
      count += chunk.byteLength;
      if (count >= HANDSHAKE_LENGTH) sent.resolve();
    },
  });
  // A peer answers: an initiator's victim has sent message 1 before more comes,
  // and a responder's victim message 2.
  const first = bytes.subarray(
    0,
    victim === "initiator" ? 32 : HANDSHAKE_LENGTH,
  );
  const rest = bytes.subarray(first.byteLength);
  const size = chunking === "whole" ? Infinity : 1;
  const consumed = Promise.withResolvers<void>();
  async function* peer() {
    try {
      yield* slices(first, size);
      if (rest.byteLength > 0) await sent.promise;
      yield* slices(rest, size);
    } finally {
      consumed.resolve();
    }
  }
  const opening = SecureStream.open(
    { readable: ReadableStream.from(peer()), writable },
    key,
    { ...OPTIONS[victim], ...options },
  );
  let stream: SecureStream;
  try {
    stream = await opening;
  } catch (error) {
    const none = new Uint8Array(0);
    return {
      delivered: none,
      readFailure: error,
      writeFailure: error,
      finished: error,
    };
  }
  const chunks: Uint8Array[] = [];
  let readFailure: unknown;
  try {
    for (;;) {
      const chunk = await stream.read(1);
      if (chunk === null) break;
      chunks.push(chunk);
    }
  } catch (error) {
    readFailure = error;
  }
  // Where the end was read before the violation came, only writing can tell.
  await consumed.promise;
  const writeFailure = await stream.write(encode("x")).then(
    () => stream.closeWrite(),
  ).then(() => undefined, (error) => error);
  return {
    delivered: concat(chunks),
    readFailure,
    writeFailure,
    finished: await stream.finished,
  };
}

/** A change must not go unnoticed. */
async function assertRefused(
  victim: Victim,
  bytes: Uint8Array,
  chunking: Chunking,
  expected: typeof EncryptionError | typeof ConnectionLostError =
    EncryptionError,
  options: SecureTestOptions = {},
  key: Uint8Array = KEY,
): Promise<void> {
  const outcome = await replay(victim, bytes, chunking, options, key);
  const { delivered, readFailure, writeFailure, finished } = outcome;
  assert(startsWith(PLAINTEXT[peerOf(victim)], delivered), "not a prefix");
  assertInstanceOf(writeFailure, expected);
  // Only a violation after the whole, authentic direction leaves its end clean.
  if (readFailure === undefined) {
    assertEquals(delivered, PLAINTEXT[peerOf(victim)]);
  } else {
    assertStrictEquals(readFailure, writeFailure);
  }
  assertStrictEquals(finished, writeFailure);
  if (expected === EncryptionError) {
    assertEquals((writeFailure as Error).message, MESSAGE);
    assertEquals((writeFailure as Error).cause, undefined);
  }
}

const MESSAGE =
  "Cannot go on with secure stream as the bytes received are not authentic";

/** What is tried, under the names of the tests that try it. */
const plan = new Map<string, (() => Promise<void>)[]>();

Deno.test("A recorded transcript is accepted as it is, in any chunking", async () => {
  for (const victim of VICTIMS) {
    for (const chunking of ["whole", "byte by byte"] as const) {
      const peer = peerOf(victim);
      assertEquals(await replay(victim, TRANSCRIPT[peer], chunking), {
        delivered: PLAINTEXT[peer],
        readFailure: undefined,
        writeFailure: undefined,
        finished: undefined,
      });
    }
  }
});

for (const victim of VICTIMS) {
  const peer = peerOf(victim);
  const original = TRANSCRIPT[peer];
  const handshake = original.subarray(0, HANDSHAKE_LENGTH);
  const records = splitRecords(original.subarray(HANDSHAKE_LENGTH));
  const headers = new Set(headerOffsets(records));

  for (const chunking of ["whole", "byte by byte"] as const) {
    const attacks = (name: string): (() => Promise<void>)[] => {
      const cases: (() => Promise<void>)[] = [];
      plan.set(`SecureStream (${victim}, ${chunking}) ${name}`, cases);
      return cases;
    };

    const flips = attacks("refuses every flipped bit of a whole transcript");
    for (let bit = 0; bit < original.byteLength * 8; bit++) {
      const changed = original.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      if (headers.has(bit >> 3)) {
        // A longer length waits for more bytes, and the attacker has plenty.
        flips.push(() =>
          assertRefused(
            victim,
            concat([changed, new Uint8Array(65_537)]),
            "whole",
          )
        );
      } else {
        flips.push(() => assertRefused(victim, changed, chunking));
      }
    }

    const cuts = attacks("takes a cut at every byte for a lost connection");
    for (let end = 0; end < original.byteLength; end++) {
      const cut = original.subarray(0, end);
      cuts.push(() =>
        assertRefused(victim, cut, chunking, ConnectionLostError)
      );
    }

    const rearranged = attacks(
      "refuses records dropped, doubled, swapped, of the other direction and of another connection",
    );
    const arrange = (changed: Uint8Array[]) =>
      rearranged.push(() =>
        assertRefused(victim, concat([handshake, ...changed]), chunking)
      );
    const foreign = [OTHER_CONNECTION[peer], TRANSCRIPT[victim]].flatMap(
      (transcript) => splitRecords(transcript.subarray(HANDSHAKE_LENGTH)),
    );
    for (const [i, record] of records.entries()) {
      // Without its last record, CLOSE, it is a cut.
      if (i < records.length - 1) arrange(records.toSpliced(i, 1));
      arrange(records.toSpliced(i, 0, record));
      for (const other of foreign) {
        arrange(records.with(i, other));
        arrange(records.toSpliced(i, 0, other));
      }
      for (let j = i + 1; j < records.length; j++) {
        arrange(records.with(i, records[j]!).with(j, record));
      }
    }
    const extras = [
      ...Array.from({ length: 256 }, (_, byte) => new Uint8Array([byte])),
      ...records,
      new Uint8Array(65_537),
    ];
    const late = attacks("refuses any byte after CLOSE");
    for (const extra of extras) {
      late.push(() =>
        assertRefused(victim, concat([original, extra]), chunking)
      );
    }

    const others = attacks("refuses another key, context, role and version");
    const refuse = (options: SecureTestOptions, key = KEY, bytes = original) =>
      others.push(() =>
        assertRefused(victim, bytes, chunking, EncryptionError, options, key)
      );
    refuse({}, KEY.with(31, KEY[31]! ^ 1));
    for (let length = 16; length < 32; length++) {
      refuse({}, KEY.subarray(0, length));
    }
    for (const context of ["", "exampl", "example ", "Example"]) {
      refuse({ context: encode(context) });
    }
    refuse({ role: peer });
    refuse({ role: undefined }); // Its code is in the prologue.
    for (let offset = 0; offset < 8; offset++) {
      for (let value = 0; value < 256; value++) {
        if (original[offset] === value) continue;
        refuse({}, KEY, original.with(offset, value));
      }
    }

    const reflected = attacks("refuses its own bytes, sent back");
    const reflect = (bytes: Uint8Array, options?: SecureTestOptions) =>
      reflected.push(() =>
        assertRefused(victim, bytes, chunking, EncryptionError, options)
      );
    reflect(TRANSCRIPT[victim]);
    reflect(TRANSCRIPT[victim].with(6, 0), { role: undefined });
    reflect(
      concat([handshake, TRANSCRIPT[victim].subarray(HANDSHAKE_LENGTH)]),
    );

    const replayed = attacks("refuses a whole connection that is replayed");
    for (
      const fresh of [
        { random: new Uint8Array(24).fill(0x66) },
        { ephemeral: new Uint8Array(32).fill(0x77) },
      ]
    ) {
      replayed.push(() =>
        assertRefused(victim, original, chunking, EncryptionError, fresh)
      );
    }
  }
}

for (const [name, cases] of plan) {
  Deno.test(name, async () => {
    const queue = cases.values();
    await Promise.all(Array.from({ length: 16 }, async () => {
      for (const run of queue) await run();
    }));
  });
}

Deno.test("At least 10,000 attacks are tried", () => {
  const counts = [...plan.values()].map(({ length }) => length);
  const total = counts.reduce((sum, count) => sum + count, 0);
  assert(total >= 10_000, `${total} attacks`);
  assert(counts.every((count) => count > 0));
});

function peerOf(victim: Victim): Victim {
  return victim === "initiator" ? "responder" : "initiator";
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function* slices(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) {
    yield bytes.slice(at, at + size);
  }
}

function splitRecords(bytes: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const end = at + 2 + (bytes[at]! << 8 | bytes[at + 1]!);
    records.push(bytes.subarray(at, end));
    at = end;
  }
  return records;
}

function headerOffsets(records: readonly Uint8Array[]): number[] {
  let at = HANDSHAKE_LENGTH;
  return records.flatMap((record) => {
    const header = [at, at + 1];
    at += record.byteLength;
    return header;
  });
}
