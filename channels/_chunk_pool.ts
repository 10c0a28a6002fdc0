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
/** The buffers that came from here: a payload of a user must never be taken in. */
const ours = new WeakSet<ArrayBufferLike>();

/**
 * A buffer of at least `size` bytes, at most `CHUNK_CAPACITY`, which a busy
 * channel takes while it fills a chunk. To zero a new one for every chunk would
 * cost more than to fill it.
 */
export function takeBuffer(size: number): Uint8Array<ArrayBuffer> {
  const capacity = size <= SIZES[0] ? SIZES[0] : SIZES[1];
  const buffer = pools.get(capacity)!.pop();
  if (buffer) return buffer;
  const fresh = new Uint8Array(capacity);
  ours.add(fresh.buffer);
  return fresh;
}

/** Gives the buffer of `chunk` back, if it is one of these. Nobody may read it after. */
export function recycle(chunk: Uint8Array): void {
  const { byteLength } = chunk.buffer;
  const pool = pools.get(byteLength);
  if (pool === undefined || pool.length * byteLength >= MAX_FREE) return;
  if (!ours.has(chunk.buffer)) return;
  pool.push(new Uint8Array(chunk.buffer as ArrayBuffer));
}
