import { inArrayBuffer } from "../streams/_in_array_buffer.ts";
import { assertChunk } from "./_assert_message.ts";
import { FrameBatch } from "./_frame_batch.ts";
import { FrameDecoder } from "./_frame_decoder.ts";
import {
  assertMaxMessageSize,
  DEFAULT_MAX_MESSAGE_SIZE,
} from "./channel_options.ts";
import { inflate } from "./_zlib.ts";

/** Options of a {@linkcode FrameDecoderStream}. */
export interface FrameDecoderStreamOptions {
  /**
   * The longest message in bytes, 64 MiB by default. A longer one is refused at
   * its header; it bounds what a compressed message may inflate to as well.
   */
  maxMessageSize?: number;
}

/**
 * A transform stage that decodes frames: bytes in, cut anywhere, messages out.
 *
 * - Each chunk read is one message, in order; one of no length is a message. It
 *   belongs to the reader; it may share its `buffer` with others, of which it
 *   keeps at most 64 KiB alive.
 * - Compressed messages are inflated, one at a time and not before they are read.
 * - Time is linear in the bytes. Whatever a header claims, the memory taken for the
 *   message is 1 KiB, or 16 times what has arrived so far, at most.
 * - A length over the limit fails it with a `BufferOverflowError`, damaged zlib
 *   data with a `CompressionError`, an end inside a frame with a
 *   `ConnectionLostError`. Messages that were whole before can still be read.
 *
 * @example
 * ```ts
 * import { FrameDecoderStream } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = ReadableStream.from([
 *   new Uint8Array([0, 0, 0, 2, 0, 0x68]),
 *   new Uint8Array([0x69, 0x0A, 0, 0, 0, 0, 0, 0x0A]),
 * ]);
 * assertEquals(await Array.fromAsync(bytes.pipeThrough(new FrameDecoderStream())), [
 *   new TextEncoder().encode("hi"),
 *   new Uint8Array(0),
 * ]);
 * ```
 */
export class FrameDecoderStream
  implements TransformStream<Uint8Array, Uint8Array<ArrayBuffer>> {
  /** The messages. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Takes the bytes. */
  readonly writable: WritableStream<Uint8Array>;

  /**
   * Makes the stage.
   *
   * @param options The limit.
   * @throws {RangeError} if it is out of its range.
   */
  constructor(
    { maxMessageSize = DEFAULT_MAX_MESSAGE_SIZE }: FrameDecoderStreamOptions =
      {},
  ) {
    assertMaxMessageSize(maxMessageSize);
    const { readable, writable } = deframing(new FrameDecoder(maxMessageSize));
    this.readable = messages(readable, maxMessageSize);
    this.writable = writable;
  }
}

/** The stage that `decoder` works in: one chunk at a time, when somebody reads. */
function deframing(
  decoder: FrameDecoder,
): TransformStream<Uint8Array, FrameBatch> {
  return new TransformStream({
    transform(chunk, controller) {
      assertChunk(chunk, "decode frames");
      const batch = new FrameBatch();
      try {
        decoder.decode(inArrayBuffer(chunk), batch);
      } finally { // What was whole before a fault is still received.
        if (batch.size > 0) controller.enqueue(batch);
      }
    },
    flush: () => decoder.end(),
  });
}

/** The messages of batches, one by one; each compressed one is inflated when it is its turn. */
function messages(
  batches: ReadableStream<FrameBatch>,
  maxMessageSize: number,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = batches.getReader();
  let batch: FrameBatch | undefined;
  return new ReadableStream({
    async pull(controller) {
      if (batch === undefined || batch.size === 0) {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        batch = value;
      }
      if (batch.isCompressed) {
        return controller.enqueue(inflateNext(batch.take()));
      }
      // Plain messages are in memory already, so they may all come out at once.
      do controller.enqueue(batch.take()); while (
        batch.size > 0 && !batch.isCompressed
      );
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });

  function inflateNext(data: Uint8Array): Uint8Array<ArrayBuffer> {
    try {
      return inflate(data, maxMessageSize);
    } catch (error) {
      reader.cancel(error).catch(() => {}); // So that writing fails as well.
      throw error;
    }
  }
}
