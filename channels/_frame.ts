/**
 * The frame of RPyC's `core/channel.py`, versions 3.3 to 6:
 *
 * ```text
 * +-----------------+------+----------------+------+
 * | n, u32 big end. | flag | n bytes        | 0x0A |
 * +-----------------+------+----------------+------+
 * ```
 */

/** Length and flag, in bytes. */
export const HEADER_SIZE = 5;
/** The byte after the payload, in bytes. */
export const TRAILER_SIZE = 1;
/** What a frame adds to its payload, in bytes. */
export const FRAME_OVERHEAD = HEADER_SIZE + TRAILER_SIZE;
/** The byte after the payload. RPyC writes it and does not check it. */
export const TRAILER = 0x0A;
/** The flag of a payload as it is. */
export const PLAIN = 0;
/** The flag of a zlib payload. Received, any other than 0 means the same. */
const COMPRESSED = 1;

/** Writes the header of a frame of `length` bytes at `at`. */
export function writeHeader(
  buffer: Uint8Array,
  at: number,
  length: number,
  compressed: boolean,
): void {
  buffer[at] = length >>> 24;
  buffer[at + 1] = length >>> 16;
  buffer[at + 2] = length >>> 8;
  buffer[at + 3] = length;
  buffer[at + 4] = compressed ? COMPRESSED : PLAIN;
}

/** The length in the header at `at`. */
export function readLength(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 |
    bytes[at + 3]!) >>> 0;
}
