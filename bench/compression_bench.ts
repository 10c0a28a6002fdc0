/**
 * Compression at level 6, in memory, of JSON text: zlib called at once against
 * the platform's stream, the public stages, and a whole channel.
 *
 * @module
 */
import { deflateSync, inflateSync } from "node:zlib";
import {
  Channel,
  CompressedChannel,
  MessageCompressionStream,
  MessageDecompressionStream,
  PipeStream,
} from "@sluice/sluice";
import { benchTransfer, drain, source, workload } from "./_workload.ts";

const LEVEL = 6;

for (
  const work of [
    workload(4096, 128),
    workload(65_536, 8),
    workload(1_048_576, 1),
  ]
) {
  const { count, message } = work;
  const deflated = new Uint8Array(deflateSync(message, { level: LEVEL }));
  const compress = `compress, ${work.group}`;
  const decompress = `decompress, ${work.group}`;
  const both = `compress and decompress, ${work.group}`;

  Deno.bench({
    name: "node:zlib deflateSync",
    group: compress,
    baseline: true,
    fn() {
      for (let i = 0; i < count; i++) deflateSync(message, { level: LEVEL });
    },
  });
  Deno.bench({
    name: "CompressionStream for each message",
    group: compress,
    async fn() {
      for (let i = 0; i < count; i++) {
        await new Response(
          new Blob([message]).stream().pipeThrough(
            new CompressionStream("deflate"),
          ),
        ).bytes();
      }
    },
  });
  Deno.bench({
    name: "MessageCompressionStream",
    group: compress,
    async fn() {
      await drain(
        source(work).pipeThrough(
          new MessageCompressionStream({ level: LEVEL }),
        ),
        count,
      );
    },
  });

  Deno.bench({
    name: "node:zlib inflateSync",
    group: decompress,
    baseline: true,
    fn() {
      for (let i = 0; i < count; i++) inflateSync(deflated);
    },
  });
  Deno.bench({
    name: "DecompressionStream for each message",
    group: decompress,
    async fn() {
      for (let i = 0; i < count; i++) {
        await new Response(
          new Blob([deflated]).stream().pipeThrough(
            new DecompressionStream("deflate"),
          ),
        ).bytes();
      }
    },
  });

  Deno.bench({
    name: "node:zlib deflateSync and inflateSync",
    group: both,
    baseline: true,
    fn() {
      for (let i = 0; i < count; i++) {
        inflateSync(deflateSync(message, { level: LEVEL }));
      }
    },
  });
  Deno.bench({
    name: "MessageCompressionStream and MessageDecompressionStream",
    group: both,
    async fn() {
      await drain(
        source(work)
          .pipeThrough(new MessageCompressionStream({ level: LEVEL }))
          .pipeThrough(new MessageDecompressionStream()),
        count,
      );
    },
  });
  Deno.bench({
    name: "CompressedChannel over PipeStream.createPair",
    group: both,
    async fn(bench) {
      const [near, far] = PipeStream.createPair();
      await benchTransfer(
        bench,
        new CompressedChannel(near, { level: LEVEL }),
        new Channel(far),
        work,
      );
    },
  });
}
