/** What a kept message may keep alive of its neighbours, in bytes. */
export const MAX_NEIGHBOURS = 65_536;
/** Memory is shared only if this part of it is filled, so that what is sparse costs no more. */
export const MIN_FILL = 1 / 4;
/** The size of the buffers that small messages are copied into, in bytes. */
const POOL_SIZE = 8192;

/**
 * Memory for received messages. A message belongs to its receiver, who may keep
 * it for ever: what lies around it in memory stays alive as long. Messages of a
 * dense chunk share it; those of a sparse or large one are copied together into
 * small buffers.
 */
export class MessagePool {
  #buffer: Uint8Array<ArrayBuffer> = EMPTY;
  #filled = 0;

  /** The length from which messages may be views of `chunk`, in bytes. */
  shareFrom(chunk: Uint8Array<ArrayBuffer>): number {
    const size = chunk.buffer.byteLength;
    // A copy would be in a buffer as large.
    const isDense = size <= POOL_SIZE || chunk.byteLength >= size * MIN_FILL;
    return isDense ? size - MAX_NEIGHBOURS : Infinity;
  }

  /** A copy of `bytes` to give away. */
  copy(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const { byteLength } = bytes;
    if (byteLength > POOL_SIZE / 4) return new Uint8Array(bytes);
    if (this.#filled + byteLength > this.#buffer.byteLength) {
      this.#buffer = new Uint8Array(POOL_SIZE);
      this.#filled = 0;
    }
    const start = this.#filled;
    this.#filled += byteLength;
    const copy = this.#buffer.subarray(start, this.#filled);
    copy.set(bytes);
    return copy;
  }
}

const EMPTY = new Uint8Array(0);
