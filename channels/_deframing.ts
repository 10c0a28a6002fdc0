import { assertChunk } from "./_assert_message.ts";
import { FrameBatch } from "./_frame_batch.ts";
import type { FrameDecoder } from "./_frame_decoder.ts";

/**
 * The stage that `decoder` works in. Its messages leave in the batches that they
 * came in, and one chunk is decoded at a time, when somebody reads.
 *
 * @param onReceived Called with the size of each chunk.
 */
export function deframing(
  decoder: FrameDecoder,
  onReceived?: (size: number) => void,
): TransformStream<Uint8Array, FrameBatch> {
  return new TransformStream({
    transform(chunk, controller) {
      assertChunk(chunk);
      onReceived?.(chunk.byteLength);
      const batch = new FrameBatch();
      try {
        decoder.decode(chunk, batch);
      } finally { // What was whole before a fault is still received.
        if (batch.size > 0) controller.enqueue(batch);
      }
    },
    flush: () => decoder.end(),
  });
}
