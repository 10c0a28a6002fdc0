/**
 * What a {@linkcode ByteStream} is built on: the few operations that differ
 * from one transport to the next.
 *
 * `ByteStream` does the rest (order, exact reads, signals, sticky failure,
 * the two web streams), and keeps these promises to the transport: never two
 * `read()`s at once, never two `write()`s at once, no `write()` after
 * `closeWrite()`, nothing after `abort()`, and after `close()` nothing but an
 * `abort()` that comes before it has settled.
 *
 * An error that a method rejects with becomes the failure of the whole stream.
 * One that is not a `StreamError` is wrapped in a `ConnectionLostError`.
 *
 * See {@linkcode ByteStream} for an example of one.
 */
export interface ByteTransport {
  /**
   * The next bytes, or `null` at a clean end. The memory belongs to the caller
   * from then on: the transport neither reads nor changes it again.
   *
   * @param into Memory that the bytes are wanted in. A transport that can reads
   * into it and returns the beginning of it; any other may ignore it.
   */
  read(into?: Uint8Array): Promise<Uint8Array | null>;
  /** Takes all of `data`. The caller may reuse its memory once this settles. */
  write(data: Uint8Array): Promise<void>;
  /** Ends our direction, so that the peer reads an end; reading goes on. */
  closeWrite(): Promise<void>;
  /**
   * Lets go of everything, after what is under way where the transport needs
   * it. A `read()` or `write()` that is pending settles, in any way. A
   * `StreamError` that it rejects with says that bytes were lost on the way out,
   * and is what the stream's `finished` tells.
   */
  close(): Promise<void>;
  /**
   * Lets go of everything at once. A pending `read()` or `write()` settles, in
   * any way. A `close()` that is under way takes no longer than this: the stream's
   * `finished` waits for what this returns, and not for that.
   */
  abort(reason: unknown): Promise<void> | void;
}
