import { CompressionError } from "../errors.ts";
import { builtin } from "../streams/_builtin.ts";
import { inArrayBuffer } from "../streams/_in_array_buffer.ts";
import { MAX_NEIGHBOURS } from "./_message_pool.ts";

/** The smallest and largest piece that zlib puts its output together from, in bytes. */
const MIN_PIECE = 256;
const MAX_PIECE = 131_072;

/** The zlib (RFC 1950) form of `message`. */
export function deflate(message: Uint8Array, level: number): Uint8Array {
  const output = builtin("node:zlib").deflateSync(message, {
    level,
    chunkSize: pieceSize(message.byteLength / 4), // About what becomes of text.
  });
  return plainView(output);
}

/**
 * The zlib form of `message` where that pays: of one that is longer than the
 * threshold, if it is smaller then.
 */
export function deflateIfSmaller(
  message: Uint8Array,
  { level, threshold }: { level: number; threshold: number },
): Uint8Array | undefined {
  if (message.byteLength <= threshold) return undefined;
  const data = deflate(message, level);
  return data.byteLength < message.byteLength ? data : undefined;
}

/**
 * The message that `data` is the zlib form of.
 *
 * `node:zlib` rather than `DecompressionStream`: that takes truncated data
 * without an error and has no bound.
 *
 * @throws {CompressionError} if `data` is damaged, cut short, followed by other
 * bytes, or larger than `maxSize` once inflated.
 */
export function inflate(
  data: Uint8Array,
  maxSize: number,
): Uint8Array<ArrayBuffer> {
  let output: Uint8Array;
  let consumed: number;
  try {
    // The types know no `info`, nor what it changes about the result.
    const { constants, inflateSync } = builtin("node:zlib");
    const result = inflateSync(data, {
      maxOutputLength: Math.max(1, maxSize),
      chunkSize: pieceSize(data.byteLength * 4),
      finishFlush: constants.Z_FINISH,
      info: true,
    }) as unknown as {
      buffer: Uint8Array;
      engine: { bytesWritten: number };
    };
    output = result.buffer;
    consumed = result.engine.bytesWritten;
  } catch (error) {
    throw new CompressionError(
      isTooLarge(error)
        ? tooLarge(maxSize)
        : "Cannot inflate message as its data is damaged or cut short",
      { cause: error },
    );
  }
  if (consumed !== data.byteLength) {
    throw new CompressionError(
      `Cannot inflate message as its data is followed by other bytes: used ${consumed} of ${data.byteLength}`,
    );
  }
  if (output.byteLength > maxSize) {
    throw new CompressionError(tooLarge(maxSize));
  }
  const message = plainView(output);
  const reserve = message.buffer.byteLength - message.byteLength;
  return reserve > MAX_NEIGHBOURS ? message.slice() : message;
}

/** Refuses what is no compression level of zlib. */
export function assertLevel(level: number): void {
  if (Number.isInteger(level) && level >= 0 && level <= 9) return;
  throw new RangeError(
    `Cannot compress as level must be an integer from 0 to 9: current value is ${level}`,
  );
}

function isTooLarge(error: unknown): boolean {
  return (error as { code?: unknown })?.code === "ERR_BUFFER_TOO_LARGE";
}

function tooLarge(maxSize: number): string {
  return `Cannot inflate message as its length must be <= ${maxSize}`;
}

function pieceSize(expected: number): number {
  return Math.min(Math.max(Math.ceil(expected), MIN_PIECE), MAX_PIECE);
}

/** A `Uint8Array` rather than the `Buffer` that the module returns. */
function plainView(
  { buffer, byteOffset, byteLength }: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return inArrayBuffer(new Uint8Array(buffer, byteOffset, byteLength));
}
