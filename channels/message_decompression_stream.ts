import { assertMessage } from "./_assert_message.ts";
import {
  assertMaxMessageSize,
  DEFAULT_MAX_MESSAGE_SIZE,
} from "./channel_options.ts";
import { inflate } from "./_zlib.ts";

/** Options of a {@linkcode MessageDecompressionStream}. */
export interface MessageDecompressionStreamOptions {
  /** The most that a message may inflate to, in bytes, 64 MiB by default. */
  maxMessageSize?: number;
}

/**
 * A transform stage that decompresses messages: each chunk is one whole zlib
 * stream (RFC 1950) and becomes one message.
 *
 * - Inflating stops at `maxMessageSize`, whatever the data would become.
 * - Data that is damaged, cut short, followed by other bytes or too large fails
 *   the stage with a `CompressionError`. The platform's `DecompressionStream`
 *   takes data cut short for whole, and has no bound.
 *
 * @example
 * ```ts
 * import { CompressionError, MessageDecompressionStream } from "@sluice/sluice";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * // What Python's zlib.compress(b"hi") gives.
 * const data = Uint8Array.fromHex("789ccbc80400013b00d2");
 * const inflate = (maxMessageSize?: number) =>
 *   Array.fromAsync(
 *     ReadableStream.from([data])
 *       .pipeThrough(new MessageDecompressionStream({ maxMessageSize })),
 *   );
 *
 * assertEquals(await inflate(), [new TextEncoder().encode("hi")]);
 * await assertRejects(() => inflate(1), CompressionError); // Larger than allowed.
 * ```
 */
export class MessageDecompressionStream
  extends TransformStream<Uint8Array, Uint8Array<ArrayBuffer>> {
  /**
   * Makes the stage.
   *
   * @param options The limit.
   * @throws {RangeError} if it is out of its range.
   */
  constructor(
    { maxMessageSize = DEFAULT_MAX_MESSAGE_SIZE }:
      MessageDecompressionStreamOptions = {},
  ) {
    assertMaxMessageSize(maxMessageSize);
    super({
      transform(data, controller) {
        assertMessage(data, "inflate");
        controller.enqueue(inflate(data, maxMessageSize));
      },
    });
  }
}
