/**
 * Framing alone, in memory: the public stages and a whole channel, against
 * messages that pass a bare `TransformStream` unframed.
 *
 * @module
 */
import {
  Channel,
  FrameDecoderStream,
  FrameEncoderStream,
  PipeStream,
} from "@sluice/sluice";
import { benchTransfer, drain, source, WORKLOADS } from "./_workload.ts";

for (const workload of WORKLOADS) {
  const { group } = workload;

  Deno.bench({
    name: "bare TransformStream",
    group,
    baseline: true,
    async fn() {
      await drain(
        source(workload).pipeThrough(new TransformStream()),
        workload.count,
      );
    },
  });

  Deno.bench({
    name: "FrameEncoderStream",
    group,
    async fn() {
      await drain(source(workload).pipeThrough(new FrameEncoderStream()));
    },
  });

  Deno.bench({
    name: "FrameEncoderStream and FrameDecoderStream",
    group,
    async fn() {
      await drain(
        source(workload)
          .pipeThrough(new FrameEncoderStream())
          .pipeThrough(new FrameDecoderStream()),
        workload.count,
      );
    },
  });

  Deno.bench({
    name: "Channel over PipeStream.createPair",
    group,
    async fn(bench) {
      const [near, far] = PipeStream.createPair();
      await benchTransfer(
        bench,
        new Channel(near),
        new Channel(far),
        workload,
      );
    },
  });
}
