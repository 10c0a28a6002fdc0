/** The most ballast, in bytes: with as much there is no full collection for what is received. */
const MAX_BALLAST = 1_073_741_824;
/** The largest buffer that glibc's thresholds follow, less a margin for its header, in bytes. */
const MAX_THRESHOLD = 33_554_432 - 16_384;

/** Address space that nothing is ever written to; exported so that it counts as in use. */
export let ballast: ArrayBuffer | undefined;
let tuned = false;

/**
 * Fits the collector and the allocator to much that is received and soon dropped: to
 * be called for the first large chunk, in each process and worker.
 *
 * Each chunk and each large message comes in a buffer of its own, which only a
 * collection gives back.
 */
export function tuneHeap(): void {
  if (tuned) return;
  tuned = true;
  keepFreedMemory();
  takeBallast(); // It never rejects.
}

/**
 * Leaves this process, or worker, without ballast, and its allocator as it is: to be
 * called before the first channel. It costs what README says of ballast; a program
 * with little address space, or whose monitoring takes `external` memory for memory
 * in use, may prefer that.
 */
export function disableHeapTuning(): void {
  tuned = true;
}

/**
 * Takes ballast: a buffer that takes address space, and no memory as nobody writes
 * to it.
 *
 * V8 runs a full collection, some 5 ms on two threads, whenever what is in use,
 * buffers included, has grown by about a tenth. In a small process that is each 10
 * to 40 MiB: sooner than the young collection, 0.3 ms, which is due with 32 MiB of
 * new buffers and gives nearly all of them back. With ballast in use the young ones
 * come first. Messages of 1 KiB arrive 1.25 times as fast for it, those of 64 KiB
 * 1.3 times, those of 1 MiB 1.5 times. Of what is kept until it is old about 100 MB
 * more may lie around after it was dropped.
 *
 * It is no more than half of what the heap may grow to: with more than that in use
 * V8 would collect all the time.
 */
async function takeBallast(): Promise<void> {
  // Windows would set aside memory for it.
  if (navigator.platform.startsWith("Win")) return;
  try {
    // Loaded here as it takes 7 ms, which a program that receives little saves.
    const { getHeapStatistics } = await import("node:v8");
    const { heap_size_limit } = getHeapStatistics();
    const most = Math.floor(heap_size_limit / 2);
    ballast = new ArrayBuffer(Math.min(most, MAX_BALLAST));
  } catch {
    // Where it is not to be had all works as well, if slower.
  }
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
  try {
    new ArrayBuffer(MAX_THRESHOLD).transfer(0);
  } catch {
    // Where so much is not to be had, that it is kept matters least.
  }
}
