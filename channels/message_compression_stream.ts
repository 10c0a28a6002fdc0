import { assertMessage } from "./_assert_message.ts";
import { DEFAULT_COMPRESSION_LEVEL } from "./channel_options.ts";
import { assertLevel, deflate } from "./_zlib.ts";

/** Options of a {@linkcode MessageCompressionStream}. */
export interface MessageCompressionStreamOptions {
  /** Level of zlib, 0 (none) to 9 (smallest), 6 by default. */
  level?: number;
}

/**
 * A transform stage that compresses messages: each chunk is one whole message
 * and becomes one zlib stream (RFC 1950), which Python's `zlib.decompress` and
 * {@linkcode MessageDecompressionStream} read.
 *
 * Every message is compressed, also one that becomes larger. Frames choose:
 * {@linkcode FrameEncoderStream} has an option for that.
 *
 * @example
 * ```ts
 * import { MessageCompressionStream, MessageDecompressionStream } from "@sluice/sluice";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const message = new TextEncoder().encode("again ".repeat(1000));
 * const [data] = await Array.fromAsync(
 *   ReadableStream.from([message]).pipeThrough(new MessageCompressionStream({ level: 9 })),
 * );
 * assert(data!.byteLength < 100);
 *
 * const [back] = await Array.fromAsync(
 *   ReadableStream.from([data!]).pipeThrough(new MessageDecompressionStream()),
 * );
 * assertEquals(back, message);
 * ```
 */
export class MessageCompressionStream
  extends TransformStream<Uint8Array, Uint8Array> {
  /**
   * Makes the stage.
   *
   * @param options The level.
   * @throws {RangeError} if the level is no integer from 0 to 9.
   */
  constructor(
    { level = DEFAULT_COMPRESSION_LEVEL }: MessageCompressionStreamOptions = {},
  ) {
    assertLevel(level);
    super({
      transform(message, controller) {
        assertMessage(message, "compress");
        controller.enqueue(deflate(message, level));
      },
    });
  }
}
