/** The garbage that each message brings along, in bytes: its promise, its view. */
const PER_MESSAGE = 320;
/** What a piece of litter takes, in bytes: 8 for each element of an array. */
const PIECE = 16_384;
/** The most litter at once, in bytes: more would hold up all else for over 4 ms. */
const MAX_LITTER = 16_777_216;
/** Memory that shows that much is being received, in bytes. */
const LARGE = 16_384;
/** The largest that glibc's thresholds follow, in bytes; see {@linkcode keepFreedMemory}. */
const MAX_THRESHOLD = 33_554_432;

/** The last piece of litter: what nobody can see might never be made. */
export let litter: unknown;
/** Litter that is due, in bytes. */
let due = 0;
let keepsFreedMemory = false;

/**
 * To be called for memory that is taken for what is received, and will be dropped.
 *
 * Only a collection gives it back, and V8 makes a poor choice of one. It starts a
 * young one (0.3 ms) when the space for young objects is full, which large messages
 * never fill, and a full one (5 ms, on two threads) for each 10 to 40 MiB that
 * buffers take. So there is to be as much garbage as memory: messages of 64 KiB
 * arrive 1.5 times as fast for it, and those of 1 to 32 KiB up to 1.1 times.
 *
 * @param bytes How much it is.
 * @param messages How many lie in it: they bring garbage of their own.
 */
export function oweLitter(bytes: number, messages: number): void {
  if (bytes >= LARGE && !keepsFreedMemory) keepFreedMemory();
  const owed = due + bytes - PER_MESSAGE * messages;
  due = Math.min(Math.max(owed, 0), MAX_LITTER);
}

/**
 * Makes the garbage that is due: to be called between messages, best once an answer
 * has left and nothing is left to do but wait.
 */
export function makeLitter(): void {
  for (; due >= PIECE; due -= PIECE) litter = new Array(PIECE / 8);
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
