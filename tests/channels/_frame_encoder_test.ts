import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { FrameBatch } from "../../channels/_frame_batch.ts";
import { FrameDecoder } from "../../channels/_frame_decoder.ts";
import {
  type ChunkSizes,
  DEFAULT_SIZES,
  RECORD_SIZES,
  TCP_SIZES,
} from "../../channels/_chunk_sizes.ts";
import { FrameEncoder } from "../../channels/_frame_encoder.ts";
import { around, noise, randomOf, seed } from "./_support.ts";

const SIZES: readonly ChunkSizes[] = [
  DEFAULT_SIZES,
  TCP_SIZES,
  RECORD_SIZES,
  { ...DEFAULT_SIZES, sliceSize: 64_000 },
];

/** Lengths about every size that a chunk or a buffer has, with and without frames. */
const LENGTHS = around(
  512,
  1018,
  1024,
  32_768,
  63_992,
  64_000,
  65_512,
  65_518,
  65_538,
  65_544,
  66_042,
  66_048,
  131_066,
  131_072,
  262_144,
);

/** Encodes `lengths`, takes a chunk now and then, and decodes what was taken. */
function lengthsAfter(
  sizes: ChunkSizes,
  lengths: readonly number[],
  takesNow: () => boolean,
): number[] {
  const encoder = new FrameEncoder(sizes);
  const decoder = new FrameDecoder(1 << 20);
  const decoded: number[] = [];
  let alone = false;
  const take = () => {
    const chunk = encoder.take();
    if (chunk === undefined) return false;
    const { byteLength } = chunk.bytes;
    const isFrame = chunk.frames === 1 && !chunk.continues; // One, and whole.
    const fits = alone || byteLength < sizes.minSplit;
    const limit = chunk.slice
      ? sizes.sliceSize
      : isFrame && fits
      ? sizes.maxAlone
      : sizes.maxChunk;
    assertLessOrEqual(byteLength, limit);
    const batch = new FrameBatch();
    decoder.decode(chunk.bytes.slice(), batch);
    assertEquals(chunk.frames, batch.size, "frames that end in the chunk");
    while (batch.size > 0) decoded.push(batch.take().byteLength);
    return true;
  };
  for (const length of lengths) {
    const takes = takesNow();
    alone = takes && encoder.isEmpty;
    encoder.encode(noise(length), false, alone);
    if (takes) take();
    alone = false;
  }
  while (take());
  decoder.end();
  return decoded;
}

Deno.test("FrameEncoder fills no chunk beyond its limit, and loses no byte, whatever the lengths", () => {
  const random = randomOf(seed());
  const pick = () =>
    random() < 0.5
      ? LENGTHS[Math.floor(random() * LENGTHS.length)]!
      : Math.floor(random() * 1500);
  for (let round = 0; round < 1000; round++) {
    const lengths = Array.from({ length: 6 }, pick);
    for (const sizes of SIZES) {
      assertEquals(
        lengthsAfter(sizes, lengths, () => random() < 0.3),
        lengths,
        `round ${round}`,
      );
    }
  }
});

Deno.test("FrameEncoder takes a frame that just fits into a chunk, behind what was begun", () => {
  for (
    const lengths of [
      [131_076, 131_066, 5],
      [131_076, 65_512, 5],
      [1, 300, 130_900, 5],
      [1, 600, 65_000, 5],
    ]
  ) {
    for (const sizes of SIZES) {
      for (const takesNow of [true, false]) {
        assertEquals(lengthsAfter(sizes, lengths, () => takesNow), lengths);
      }
      let first = true; // As a channel does after a pause.
      const takesFirst = () => first && !(first = false);
      assertEquals(lengthsAfter(sizes, lengths, takesFirst), lengths);
    }
  }
});

/** The lengths of the chunks of `count` messages, sent one after the other. */
function chunksOf(sizes: ChunkSizes, length: number, count: number): number[] {
  const encoder = new FrameEncoder(sizes);
  for (let i = 0; i < count; i++) encoder.encode(noise(length), false);
  const lengths: number[] = [];
  for (let chunk; (chunk = encoder.take());) {
    lengths.push(chunk.bytes.byteLength);
  }
  return lengths;
}

Deno.test("FrameEncoder fills the chunks for TCP with large frames, one of which goes on in the next", () => {
  for (const length of [8186, 16_384, 65_536, 131_072, 262_144]) {
    const chunks = chunksOf(TCP_SIZES, length, 50);
    const last = chunks.pop()!;
    for (const chunk of chunks) {
      // A header is never split.
      assert(chunk <= 64_000 && chunk > 64_000 - 5, `${length}: ${chunk}`);
    }
    assertLessOrEqual(last, 64_000);
  }
});

Deno.test("FrameEncoder puts a small frame whole into the next chunk for TCP", () => {
  for (const length of [1, 64, 1024, 8185]) {
    const perChunk = Math.floor(64_000 / (length + 6));
    const full = perChunk * (length + 6);
    assertEquals(
      chunksOf(TCP_SIZES, length, 2 * perChunk + 1),
      [full, full, length + 6],
    );
  }
});

Deno.test("FrameEncoder splits no frame that it copies where there are no segments", () => {
  for (const length of [1, 64, 1024, 8186, 16_384, 65_536, 131_066]) {
    const perChunk = Math.ceil(64_000 / (length + 6));
    const full = perChunk * (length + 6);
    assertEquals(
      chunksOf(DEFAULT_SIZES, length, 2 * perChunk + 1),
      [full, full, length + 6],
    );
  }
});

Deno.test("FrameEncoder makes one chunk of a frame that leaves alone", () => {
  for (const length of [0, 1000, 64_000, 65_536, 131_066]) {
    const encoder = new FrameEncoder();
    encoder.encode(noise(length), false, true);
    assertEquals(encoder.take()?.bytes.byteLength, length + 6);
    assertEquals(encoder.take(), undefined);
  }
});
