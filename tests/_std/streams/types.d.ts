/** Passes on the bytes from `start` to `end` of the whole stream. */
export class ByteSliceStream extends TransformStream<Uint8Array, Uint8Array> {
  constructor(start?: number, end?: number);
}
/** One stream after the other, as one. */
export function concatReadableStreams<T>(
  ...streams: ReadableStream<T>[]
): ReadableStream<T>;
/** One chunk of each in turn, until the first of them ends. */
export function earlyZipReadableStreams<T>(
  ...streams: ReadableStream<T>[]
): ReadableStream<T>;
/** What a {@linkcode LimitedBytesTransformStream} does at its limit. */
export interface LimitedBytesTransformStreamOptions {
  /** Fail with a `RangeError` instead of ending. */
  error?: boolean;
}
/** Passes on chunks while their sum is within `size` bytes. */
export class LimitedBytesTransformStream
  extends TransformStream<Uint8Array, Uint8Array> {
  constructor(size: number, options?: LimitedBytesTransformStreamOptions);
}
/** Chunks of all, as they come. */
export function mergeReadableStreams<T>(
  ...streams: ReadableStream<T>[]
): ReadableStream<T>;
/** What a {@linkcode TextLineStream} takes for an end of line. */
export interface TextLineStreamOptions {
  /** A lone CR ends a line too. */
  allowCR?: boolean;
}
/** Text in, lines out. */
export class TextLineStream extends TransformStream<string, string> {
  constructor(options?: TextLineStreamOptions);
}
/** All bytes of a stream, as an `ArrayBuffer`. */
export function toArrayBuffer(
  stream: ReadableStream<Uint8Array>,
): Promise<ArrayBuffer>;
/** All bytes of a stream. */
export function toBytes(
  stream: ReadableStream<Uint8Array>,
): Promise<Uint8Array>;
/** The JSON value that a stream spells. */
export function toJson(
  stream: ReadableStream<string> | ReadableStream<Uint8Array>,
): Promise<unknown>;
/** All text of a stream. */
export function toText(
  stream: ReadableStream<string> | ReadableStream<Uint8Array>,
): Promise<string>;
/** A `TransformStream` made of a generator function. */
export function toTransformStream<I, O>(
  transformer: (src: ReadableStream<I>) => Iterable<O> | AsyncIterable<O>,
  writableStrategy?: QueuingStrategy<I>,
  readableStrategy?: QueuingStrategy<O>,
): TransformStream<I, O>;
/** One chunk of each in turn, until all of them have ended. */
export function zipReadableStreams<T>(
  ...streams: ReadableStream<T>[]
): ReadableStream<T>;
