import { ByteStream, directionsOf } from "./byte_stream.ts";
import type { ByteStreamPair } from "./byte_stream_pair.ts";

/**
 * Refuses a pair of which somebody else has a side.
 *
 * @param action What was to be done with it: `open channel`, `wrap the stream`.
 */
export function assertUnlocked(pair: ByteStreamPair, action: string): void {
  // Without making the web streams of one of ours, which a channel does not need.
  const [readable, writable] = pair instanceof ByteStream
    ? Object.values(directionsOf(pair))
    : [pair.readable, pair.writable];
  if (!readable || !writable) {
    throw new TypeError(
      `Cannot ${action} as the stream must have a readable and a writable`,
    );
  }
  const side = readable.locked ? "readable" : writable.locked && "writable";
  if (!side) return;
  throw new TypeError(`Cannot ${action} as ${side} of the stream is locked`);
}
