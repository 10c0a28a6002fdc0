import { concat } from "jsr:@std/bytes@^1.0.6/concat";
import { STREAM_CHUNK_SIZE } from "../streams/constants.ts";
import { assertChunk } from "./_assert_message.ts";
import { assertInteger } from "../streams/_assert.ts";
import { type BatchingOptions, resolveBatching } from "./channel_options.ts";

/** Options of a {@linkcode BatchingStream}. */
export interface BatchingStreamOptions extends BatchingOptions {
  /** Bytes that make a batch, whatever their number, 64,000 by default. */
  bytes?: number;
  /** How many messages a chunk holds; 1 by default. */
  weigh?: (chunk: Uint8Array) => number;
}

/**
 * Gathers chunks into batches, so that they leave in one write.
 *
 * A batch leaves when it holds `size` messages or `bytes` bytes, when `timeout`
 * has passed since its first chunk, and at the end of the stream. A chunk of no
 * length makes it leave as well, and is passed on after it: that is how to
 * flush. Chunks are joined in order and never cut, so the peer needs to know
 * nothing. A chunk that leaves alone is not copied.
 *
 * @example
 * ```ts
 * import { BatchingStream } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * const chunks = ReadableStream.from([1, 2, 3].map((n) => new Uint8Array([n])));
 * const batches = await Array.fromAsync(chunks.pipeThrough(new BatchingStream({ size: 2 })));
 * assertEquals(batches, [new Uint8Array([1, 2]), new Uint8Array([3])]);
 * ```
 */
export class BatchingStream extends TransformStream<Uint8Array, Uint8Array> {
  /**
   * Makes the stage.
   *
   * @param options When a batch leaves.
   * @throws {RangeError} if an option is out of its range.
   */
  constructor(options: BatchingStreamOptions = {}) {
    const { bytes = STREAM_CHUNK_SIZE, weigh = () => 1, ...when } = options;
    const { size, timeout } = resolveBatching(when);
    assertInteger("batch bytes", bytes, 1);
    let held: Uint8Array[] = [];
    let heldBytes = 0;
    let heldMessages = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;

    function release(
      controller: TransformStreamDefaultController<Uint8Array>,
    ): void {
      clearTimeout(timer);
      timer = undefined;
      if (held.length === 0) return;
      const batch = held.length === 1 ? held[0]! : concat(held);
      held = [];
      heldBytes = 0;
      heldMessages = 0;
      controller.enqueue(batch);
    }

    function take(
      chunk: Uint8Array,
      controller: TransformStreamDefaultController<Uint8Array>,
    ): void {
      assertChunk(chunk, "batch");
      if (chunk.byteLength === 0) {
        release(controller);
        controller.enqueue(chunk);
        return;
      }
      // A chunk that would burst the batch starts the next one.
      if (heldBytes + chunk.byteLength > bytes) release(controller);
      held.push(chunk);
      heldBytes += chunk.byteLength;
      heldMessages += weigh(chunk);
      if (heldMessages >= size || heldBytes >= bytes) {
        return release(controller);
      }
      timer ??= setTimeout(() => release(controller), timeout);
    }

    super({
      transform(chunk, controller) {
        try {
          take(chunk, controller);
        } catch (error) {
          clearTimeout(timer); // No cancel() follows.
          throw error;
        }
      },
      flush: release,
      cancel: () => clearTimeout(timer),
    });
  }
}
