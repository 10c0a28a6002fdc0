/** Where chunks come from, one at a time. What was received is never in shared memory. */
export interface ChunkSource<Memory extends ArrayBufferLike = ArrayBufferLike> {
  /** The next chunk; `undefined` at the end. */
  next(): Promise<Uint8Array<Memory> | undefined>;
  /** Ends it; a `next()` that waits settles, in any way. */
  cancel(reason: unknown): void;
}

/** Where chunks go, one at a time. */
export interface ChunkSink {
  /** Settles once the chunk is handed over. */
  write(chunk: Uint8Array): Promise<void>;
  /** Ends it cleanly. */
  close(): Promise<void>;
  /** Ends it at once. */
  abort(reason: unknown): void;
}

/** Has memory that the next bytes are wanted in. */
export interface Lender {
  /** That memory; `undefined` if it is all the same. */
  lend(): Uint8Array | undefined;
}
