/**
 * Batching, in memory: a channel's own coalescing, and batches by count,
 * against writing each frame by itself.
 *
 * @module
 */
import { BatchingChannel, Channel, PipeStream } from "@sluice/sluice";
import { benchTransfer, workload } from "./_workload.ts";

for (const work of [workload(64, 4096), workload(1024, 1024)]) {
  const { group } = work;

  Deno.bench({
    name: "bare streams, one write for each message",
    group,
    baseline: true,
    async fn(bench) {
      const [near, far] = PipeStream.createPair();
      bench.start();
      const sent = (async () => {
        for (let i = 0; i < work.count; i++) await near.write(work.message);
      })();
      for (let i = 0; i < work.count; i++) {
        await far.read(work.message.byteLength);
      }
      await sent;
      bench.end();
      await Promise.all([near.close(), far.close()]);
    },
  });

  Deno.bench({
    name: "Channel, flushed after each message",
    group,
    async fn(bench) {
      const [near, far] = PipeStream.createPair();
      const from = new Channel(near);
      const to = new Channel(far);
      bench.start();
      for (let i = 0; i < work.count; i++) {
        await from.send(work.message);
        await from.flush();
        await to.recv();
      }
      bench.end();
      await Promise.all([from.close(), to.close()]);
    },
  });

  Deno.bench({
    name: "Channel",
    group,
    async fn(bench) {
      const [near, far] = PipeStream.createPair();
      await benchTransfer(
        bench,
        new Channel(near),
        new Channel(far),
        work,
      );
    },
  });

  for (const batchSize of [10, 100, 1000]) {
    Deno.bench({
      name: `BatchingChannel, batchSize ${batchSize}`,
      group,
      async fn(bench) {
        const [near, far] = PipeStream.createPair();
        await benchTransfer(
          bench,
          new BatchingChannel(near, { batchSize }),
          new Channel(far),
          work,
        );
      },
    });
  }
}
