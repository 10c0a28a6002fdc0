import { assert, assertEquals, assertLess } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { Channel } from "@sluice/sluice";
import { peerTest, python, python3 } from "../_peers.ts";
import { pattern, type PatternKind } from "./_pattern.ts";
import golden from "./golden_frames.json" with { type: "json" };

interface Case {
  kind: string;
  size: number;
  compress: boolean;
  length: number;
  frame?: string;
  sha256: string;
}

const CASES: Case[] = golden.frames;

function messageOf({ kind, size }: Case): Uint8Array {
  return pattern(kind as PatternKind, size, "golden");
}

/** What a channel writes for messages, in one piece. */
async function encode(
  messages: Uint8Array[],
  options?: ConstructorParameters<typeof Channel>[1],
): Promise<Uint8Array> {
  const written: Uint8Array[] = [];
  const channel = new Channel({
    readable: new ReadableStream({ start: (c) => c.close() }),
    writable: new WritableStream({
      write: (chunk) => void written.push(chunk.slice()),
    }),
  }, options);
  for (const message of messages) await channel.send(message);
  await channel.close();
  return concat(written);
}

/** The messages that a channel reads from these chunks. */
async function decode(chunks: Uint8Array[]): Promise<Uint8Array[]> {
  await using channel = new Channel({
    readable: ReadableStream.from(chunks),
    writable: new WritableStream(),
  });
  return await Array.fromAsync(channel);
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const copy = new Uint8Array(bytes);
  return encodeHex(await crypto.subtle.digest("SHA-256", copy));
}

for (const example of CASES.filter(({ compress }) => !compress)) {
  const { kind, size, frame, sha256: hash, length } = example;
  Deno.test(`Channel writes a plain message of ${size} bytes as RPyC does`, async () => {
    const bytes = await encode([messageOf(example)]);
    assertEquals(kind, "random");
    assertEquals(bytes.length, length);
    if (frame) assertEquals(encodeHex(bytes), frame);
    assertEquals(await sha256(bytes), hash);
  });
}

for (const example of CASES.filter(({ frame }) => frame !== undefined)) {
  const { kind, size, compress, frame } = example;
  const how = compress ? "with compression on" : "plain";
  Deno.test(`Channel reads RPyC's frame of ${size} ${kind} bytes, ${how}`, async () => {
    const bytes = decodeHex(frame!);
    assertEquals(await sha256(bytes), example.sha256);
    assertEquals(bytes[4], compress && size > 3000 ? 1 : 0);
    assertEquals(await decode([bytes]), [messageOf(example)]);
  });
}

Deno.test("Channel writes and reads short texts as RPyC does", async () => {
  for (const { message, frame } of golden.texts) {
    assertEquals(encodeHex(await encode([decodeHex(message)])), frame);
    assertEquals(await decode([decodeHex(frame)]), [decodeHex(message)]);
  }
});

Deno.test("Channel reads RPyC's frames one after the other, in whatever chunks they come", async () => {
  const examples = CASES.filter(({ frame }) => frame !== undefined);
  const wire = concat(examples.map(({ frame }) => decodeHex(frame!)));
  const expected = examples.map(messageOf);
  for (const chunkSize of [wire.length, 5, 6, 1000, 64000]) {
    const chunks: Uint8Array[] = [];
    for (let offset = 0; offset < wire.length; offset += chunkSize) {
      chunks.push(wire.slice(offset, offset + chunkSize));
    }
    assertEquals(await decode(chunks), expected, `chunks of ${chunkSize}`);
  }
});

Deno.test("Channel writes many messages as the frames of RPyC, one after the other", async () => {
  const examples = CASES.filter(({ frame, compress }) => frame && !compress);
  const wire = concat(examples.map(({ frame }) => decodeHex(frame!)));
  assertEquals(await encode(examples.map(messageOf)), wire);
});

Deno.test("Channel takes any non-zero flag for zlib and any last byte, as RPyC does", async () => {
  const example = CASES.find(({ frame, kind, compress, size }) =>
    frame && kind === "repeated" && compress && size > 3000
  )!;
  const bytes = decodeHex(example.frame!);
  bytes[4] = 0xff;
  bytes[bytes.length - 1] = 0x00;
  assertEquals(await decode([bytes]), [messageOf(example)]);
});

for (const level of [0, 1, 6, 9]) {
  peerTest(
    python3,
    `Python's zlib reads what Channel compresses at level ${level}`,
    async () => {
      const sizes = [3001, 64000, 1 << 20];
      const messages = sizes.flatMap((size) => [
        pattern("repeated", size, "ours"),
        pattern("random", size, "ours"),
      ]);
      const wire = await encode(messages, { compression: { level } });
      const hashes = await Promise.all(messages.map(sha256));
      const script = `
import hashlib, struct, sys, zlib
wire, flags = sys.stdin.buffer.read(), ""
while wire:
    length, flag = struct.unpack("!LB", wire[:5])
    data, end, wire = wire[5:5 + length], wire[5 + length:6 + length], wire[6 + length:]
    assert end == b"\\n" and len(data) == length
    flags += str(flag)
    print(hashlib.sha256(zlib.decompress(data) if flag else data).hexdigest())
print(flags)
`;
      const child = new Deno.Command(python(python3), {
        args: ["-c", script],
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const output = child.output();
      await ReadableStream.from([wire]).pipeTo(child.stdin);
      const { success, stdout, stderr } = await output;
      assert(success, new TextDecoder().decode(stderr));
      const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
      const flags = lines.pop();
      assertEquals(lines, hashes);
      // Random bytes stay as they are, and level 0 makes nothing smaller.
      assertEquals(flags, level === 0 ? "000000" : "101010");
      if (level > 0) assertLess(wire.length, 1.1 * (3001 + 64000 + (1 << 20)));
    },
  );
}
