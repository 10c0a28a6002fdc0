import { assertChunk } from "./_assert_message.ts";
import {
  emptyBatch,
  type FrameBatch,
  type FrameDecoder,
} from "./_frame_decoder.ts";

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
      const batch = emptyBatch();
      try {
        decoder.decode(chunk, batch);
      } finally { // What was whole before a fault is still received.
        if (batch.payloads.length > 0) controller.enqueue(batch);
      }
    },
    flush: () => decoder.end(),
  });
}
