import { StreamClosedError, StreamTimeoutError } from "../errors.ts";
import { type ClosablePair, released } from "../streams/_pair_transport.ts";
import { timeLimit } from "../streams/_time_limit.ts";
import { ByteStream } from "../streams/byte_stream.ts";
import type { ByteTransport } from "../streams/byte_transport.ts";
import { recycle } from "./_chunk_pool.ts";
import { ChunkRelay } from "./_chunk_relay.ts";
import type { StagedSource } from "./_staged_source.ts";
import type { Encryption } from "./_encryption.ts";
import type { ChunkSink } from "../streams/_chunks.ts";
import { inboundOf, outboundOf } from "./_ends.ts";

/** How long `close()` waits for the CLOSE record to leave, in milliseconds. */
const CLOSE_TIMEOUT = 5000;

/** The encryption of both directions, between a secure stream and the one below. */
export class SecureTransport implements ByteTransport {
  readonly #stream: ClosablePair;
  readonly #wire: ChunkSink;
  readonly #plaintext: StagedSource;
  readonly #sending = new ChunkRelay();
  readonly #records: StagedSource;
  /** Settles when all that we sent, with CLOSE, is in the stream below. */
  readonly #outbound: Promise<void>;
  readonly #aborted = Promise.withResolvers<never>();
  #ending?: Promise<void>;
  #abortion?: Promise<void>;
  /** The half close of the stream below, of which nobody needs to know. */
  #halfClose?: Promise<void>;

  constructor(stream: ClosablePair, encryption: Encryption) {
    this.#stream = stream;
    this.#wire = outboundOf(stream);
    this.#plaintext = encryption.open(
      inboundOf(stream, encryption),
      // What is not authentic ends our direction too, even if nobody reads.
      (error) => this.#endAt(error),
    );
    this.#records = encryption.seal(this.#sending);
    this.#outbound = this.#sendRecords();
    // Whoever reads or writes next learns of a failure.
    this.#aborted.promise.catch(() => {});
    this.#outbound.catch(() => {});
  }

  async read(): Promise<Uint8Array | null> {
    return await this.#plaintext.next() ?? null;
  }

  async write(data: Uint8Array): Promise<void> {
    await this.#sending.give(data);
  }

  closeWrite(): Promise<void> {
    return this.#ending ??= this.#endOutbound();
  }

  async close(): Promise<void> {
    // Without CLOSE the peer takes our end for an attack. A peer that does not
    // read keeps it from leaving, which cannot go on for ever.
    using _ = timeLimit(
      CLOSE_TIMEOUT,
      `Cannot end the secure stream as it must take <= ${CLOSE_TIMEOUT} ms`,
      (error) => this.abort(error),
    );
    try {
      await this.closeWrite();
      // A bare pair has nothing else: its other half ends when the peer ends it.
      if (!this.#stream.close) return;
      await Promise.race([this.#halfClose, this.#aborted.promise]);
      const closed = this.#stream.close();
      await (this.#stream instanceof ByteStream ? closed : released(closed));
    } catch (error) {
      await this.abort(error);
      // What was accepted is lost. (Any other error: the peer is gone, and misses no end.)
      if (error instanceof StreamTimeoutError) throw error;
    } finally {
      await this.#plaintext.cancel(new StreamClosedError("Stream was closed"));
    }
  }

  /** Settles when nothing is being encrypted or decrypted any more. */
  abort(reason: unknown): Promise<void> {
    return this.#abortion ??= this.#abort(reason);
  }

  async #abort(reason: unknown): Promise<void> {
    this.#endAt(reason);
    await Promise.all([
      released(this.#stream.abort?.(reason)),
      this.#plaintext.cancel(reason),
      this.#records.cancel(reason),
    ]);
  }

  /** Ends our direction without CLOSE, even behind a write that is stuck. */
  #endAt(reason: unknown): void {
    this.#aborted.reject(reason);
    this.#wire.abort(reason);
    this.#records.cancel(reason);
  }

  async #sendRecords(): Promise<void> {
    try {
      for (;;) {
        const records = await this.#records.next();
        if (records === undefined) return;
        await this.#wire.write(records);
        if (this.#stream instanceof ByteStream) recycle(records);
      }
    } catch (error) {
      this.#endAt(error);
      throw error;
    }
  }

  async #endOutbound(): Promise<void> {
    this.#sending.close();
    await Promise.race([this.#outbound, this.#aborted.promise]);
    // CLOSE is the end. That the stream below ends too is a courtesy, which may
    // fail as the peer may be gone, and must not wait until the peer reads it.
    this.#halfClose = this.#wire.close().catch(() => {});
  }
}
