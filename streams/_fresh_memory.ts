/**
 * What a piece of litter takes, in bytes: 8 for each element, and less than the
 * 128 KiB from which V8 keeps an object apart.
 */
const PIECE = 65_536;

/** The last piece of litter; what is not kept may never be made. */
export let litter: unknown;

/**
 * Memory for a large part of what is received, which its receiver will drop.
 *
 * Only a collection gives such memory back, and V8 chooses a poor one. It starts a
 * young one (0.2 ms) when the space for young objects is full, which a few large
 * messages never fill, and a full one (5 ms on two threads) for each 10 to 40 MiB
 * that buffers take. So as many bytes of garbage are made as memory is taken: 64 KiB
 * messages arrive 1.5 times as fast for it, and 1 MiB messages 1.4 times.
 */
export function freshMemory(size: number): Uint8Array<ArrayBuffer> {
  for (let left = size; left >= PIECE / 2; left -= PIECE) {
    litter = new Array(PIECE / 8);
  }
  return new Uint8Array(size);
}
