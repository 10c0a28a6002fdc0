import { BufferOverflowError } from "../errors.ts";
import { STREAM_CHUNK_SIZE } from "../streams/constants.ts";
import { assertMessage } from "./_assert_message.ts";
import { FRAME_OVERHEAD, HEADER_SIZE, TRAILER, writeHeader } from "./_frame.ts";
import {
  type CompressionOptions,
  MAX_LENGTH,
  resolveCompression,
} from "./channel_options.ts";
import { deflateIfSmaller } from "./_zlib.ts";

/** Options of a {@linkcode FrameEncoderStream}. */
export interface FrameEncoderStreamOptions {
  /**
   * Compression of the messages that it makes smaller, off by default. Who
   * decodes the frames needs no option for it.
   */
  compression?: false | CompressionOptions;
}

/**
 * A transform stage that encodes messages as frames: messages in, bytes out.
 *
 * ```text
 * +-----------------+------+----------------+------+
 * | n, u32 big end. | flag | n bytes        | 0x0A |   flag: 0 plain, 1 zlib
 * +-----------------+------+----------------+------+
 * ```
 *
 * - Each chunk written is one message, in order; one of no length is a message.
 * - A frame of up to 64,000 bytes leaves as one chunk, which is a copy. A longer
 *   message is not copied: it must not be changed until the bytes were used.
 * - Nothing is encoded ahead of who reads the bytes.
 *
 * The bytes are those of {@linkcode Channel}, and of RPyC's `core/channel.py`.
 *
 * @example
 * ```ts
 * import { FrameEncoderStream } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * const messages = ReadableStream.from(["hi", ""]).pipeThrough(
 *   new TransformStream<string, Uint8Array>({
 *     transform: (text, out) => out.enqueue(new TextEncoder().encode(text)),
 *   }),
 * );
 * assertEquals(await Array.fromAsync(messages.pipeThrough(new FrameEncoderStream())), [
 *   new Uint8Array([0, 0, 0, 2, 0, 0x68, 0x69, 0x0A]),
 *   new Uint8Array([0, 0, 0, 0, 0, 0x0A]),
 * ]);
 * ```
 */
export class FrameEncoderStream
  extends TransformStream<Uint8Array, Uint8Array> {
  /**
   * Makes the stage.
   *
   * @param options Compression.
   * @throws {RangeError} if an option is out of its range.
   */
  constructor(options: FrameEncoderStreamOptions = {}) {
    const compression = options.compression
      ? resolveCompression(options.compression)
      : undefined;
    super({
      transform(message, controller) {
        assertMessage(message, "encode");
        assertLength(message);
        const data = compression && deflateIfSmaller(message, compression);
        const chunks = frame(data ?? message, data !== undefined);
        for (const chunk of chunks) controller.enqueue(chunk);
      },
    });
  }
}

function assertLength({ byteLength: size }: Uint8Array): void {
  if (size <= MAX_LENGTH) return;
  throw new BufferOverflowError(
    `Cannot encode message as its length must be <= ${MAX_LENGTH}: current length is ${size}`,
    { size, limit: MAX_LENGTH },
  );
}

/** The chunks of one frame: each in memory of its own, or of the message. */
function frame(payload: Uint8Array, compressed: boolean): Uint8Array[] {
  const { byteLength } = payload;
  const size = byteLength + FRAME_OVERHEAD;
  const whole = size <= STREAM_CHUNK_SIZE;
  const first = new Uint8Array(whole ? size : HEADER_SIZE);
  writeHeader(first, 0, byteLength, compressed);
  if (!whole) return [first, payload, new Uint8Array([TRAILER])];
  first.set(payload, HEADER_SIZE);
  first[size - 1] = TRAILER;
  return [first];
}
