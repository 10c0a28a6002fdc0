/** Shorter memory comes with many small objects around it. */
const MIN_SIZE = 32_768;
/** What a piece of litter takes, in bytes: 8 for each element of an array. */
const PIECE = 16_384;
/** The most litter at once, in bytes: more would hold up all else for over 4 ms. */
const MAX_LITTER = 16_777_216;
/** The largest that glibc's thresholds follow, in bytes; see {@linkcode keepFreedMemory}. */
const MAX_THRESHOLD = 33_554_432;

/** The last piece of litter: what nobody can see might never be made. */
export let litter: unknown;
/** Litter that is due, in bytes. */
let due = 0;
let keepsFreedMemory = false;

/**
 * Memory for a large part of what is received, which its receiver will drop.
 *
 * Only a collection gives it back, and V8 makes a poor choice of one. It starts a
 * young one (0.3 ms) when the space for young objects is full, which a few large
 * messages never fill, and a full one (5 ms, on two threads) for each 10 to 40 MiB
 * that buffers take. So as many bytes of garbage are made as memory is taken:
 * messages of 64 KiB arrive 1.5 times as fast for it.
 */
export function freshMemory(size: number): Uint8Array<ArrayBuffer> {
  if (size < MIN_SIZE) return new Uint8Array(size);
  if (!keepsFreedMemory) keepFreedMemory();
  makeLitter();
  due = Math.min(size, MAX_LITTER);
  return new Uint8Array(size);
}

/**
 * Makes the garbage that is due, so that the next {@linkcode freshMemory} need not:
 * to be called when an answer has left, and nothing is left to do but wait.
 */
export function makeLitter(): void {
  for (; due > 0; due -= PIECE) litter = new Array(PIECE / 8);
}

/**
 * Has the allocator keep up to 64 MiB that were freed, for the next messages: a
 * collection frees 32 MiB at once, and glibc would hand them back to the system,
 * which then has to map and zero each page again. glibc keeps twice the size of
 * the largest buffer that it has seen freed (mallopt(3), M_MMAP_THRESHOLD), so it
 * is shown one, which nobody writes to and which so takes no memory. Messages of
 * 1 MiB arrive 1.5 times as fast for it.
 */
function keepFreedMemory(): void {
  keepsFreedMemory = true;
  try {
    new ArrayBuffer(MAX_THRESHOLD - PIECE).transfer(0);
  } catch {
    // Where so much is not to be had, that it is kept matters least.
  }
}
