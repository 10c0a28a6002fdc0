import { STREAM_CHUNK_SIZE } from "../streams/constants.ts";

/** How many free buffers are kept, for all channels together: 1 MB. */
const MAX_FREE = 16;

const free: Uint8Array<ArrayBuffer>[] = [];
/** The buffers that came from here: a payload of a user must never be taken in. */
const ours = new WeakSet<ArrayBufferLike>();

/**
 * A buffer of `STREAM_CHUNK_SIZE`, which a busy channel takes while it fills a
 * chunk. To zero a new one for every chunk would cost more than to fill it.
 */
export function takeBuffer(): Uint8Array<ArrayBuffer> {
  const buffer = free.pop();
  if (buffer) return buffer;
  const fresh = new Uint8Array(STREAM_CHUNK_SIZE);
  ours.add(fresh.buffer);
  return fresh;
}

/** Gives the buffer of `chunk` back, if it is one of these. Nobody may read it after. */
export function recycle(chunk: Uint8Array): void {
  if (free.length >= MAX_FREE || !ours.has(chunk.buffer)) return;
  free.push(new Uint8Array(chunk.buffer as ArrayBuffer));
}
