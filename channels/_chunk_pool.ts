/**
 * The size of the buffers, in bytes: a chunk is full at `STREAM_CHUNK_SIZE`, and
 * the frame that fills it may go beyond.
 */
export const CHUNK_CAPACITY = 131_072;

/** How many free buffers are kept, for all channels together: 2 MiB. */
const MAX_FREE = 16;

const free: Uint8Array<ArrayBuffer>[] = [];
/** The buffers that came from here: a payload of a user must never be taken in. */
const ours = new WeakSet<ArrayBufferLike>();

/**
 * A buffer of `CHUNK_CAPACITY`, which a busy channel takes while it fills a
 * chunk. To zero a new one for every chunk would cost more than to fill it.
 */
export function takeBuffer(): Uint8Array<ArrayBuffer> {
  const buffer = free.pop();
  if (buffer) return buffer;
  const fresh = new Uint8Array(CHUNK_CAPACITY);
  ours.add(fresh.buffer);
  return fresh;
}

/** Gives the buffer of `chunk` back, if it is one of these. Nobody may read it after. */
export function recycle(chunk: Uint8Array): void {
  if (free.length >= MAX_FREE || !ours.has(chunk.buffer)) return;
  free.push(new Uint8Array(chunk.buffer as ArrayBuffer));
}
