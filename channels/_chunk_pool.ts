/**
 * The sizes of the buffers, in bytes: for a full chunk of frames or the record that
 * carries it, and for two records or a longer frame.
 */
const SIZES = [66_048, 131_072] as const;
/** The size of the largest, in bytes. */
export const CHUNK_CAPACITY = SIZES[1];

/** How many bytes of free buffers are kept, of each size, for all channels together. */
const MAX_FREE = 8_388_608;

/** The free buffers, by their size. */
const pools = new Map<number, Uint8Array<ArrayBuffer>[]>(
  SIZES.map((size) => [size, []]),
);
/** The buffers of the pool, which nobody else may get hold of: what is taken in must be one. */
const ours = new WeakSet<ArrayBufferLike>();

/**
 * A buffer of at least `size` bytes, at most `CHUNK_CAPACITY`, which a busy
 * channel takes while it fills a chunk. To zero a new one for every chunk would
 * cost more than to fill it.
 */
export function takeBuffer(size: number): Uint8Array<ArrayBuffer> {
  const capacity = capacityFor(size);
  const buffer = pools.get(capacity)!.pop();
  if (buffer) return buffer;
  const fresh = new Uint8Array(capacity);
  ours.add(fresh.buffer);
  return fresh;
}

/** A buffer as large, which is nobody's: for chunks that are given away. */
export function newBuffer(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(capacityFor(size));
}

/** Gives the buffer of `chunk` back, if it is one of these. Nobody may read it after. */
export function recycle(chunk: Uint8Array): void {
  const { byteLength } = chunk.buffer;
  const pool = pools.get(byteLength);
  if (pool === undefined || pool.length * byteLength >= MAX_FREE) return;
  if (!ours.has(chunk.buffer)) return;
  pool.push(new Uint8Array(chunk.buffer as ArrayBuffer));
}

function capacityFor(size: number): number {
  return size <= SIZES[0] ? SIZES[0] : SIZES[1];
}
