import { ConnectionLostError } from "../errors.ts";
import { notAuthentic } from "./_encryption_error.ts";
import {
  otherDirection,
  recordParser,
  type TiedOptions,
} from "./_tied_options.ts";
import { OrderedResults } from "./_ordered_results.ts";
import { PlaintextQueue } from "./_plaintext_queue.ts";
import { assertRecordArguments, MAX_RECORDS_IN_WORK } from "./_record.ts";
import { RecordOpener } from "./_record_opener.ts";
import { RecordParser } from "./_record_parser.ts";
import type { RecordStreamOptions } from "./record_stream_options.ts";

/**
 * A transform stage that decrypts one direction of a secure stream: records in,
 * cut anywhere, bytes out.
 *
 * - A byte comes out only after the tag of its record has been checked, in order,
 *   and each exactly once: what is read is always an exact prefix of what was
 *   written.
 * - The first record that is not authentic ends it with an `EncryptionError`,
 *   which is the same whatever was wrong. The writable end fails at once; what
 *   came before that record can still be read.
 * - The readable end closes at the CLOSE record. An end of the bytes before it
 *   is a `ConnectionLostError`, any byte after it an `EncryptionError`.
 * - A chunk that is read belongs to the reader, and its memory is 64 KiB at most.
 * - Up to 8 records are decrypted at a time, and back-pressure is kept up.
 *
 * See {@linkcode RecordEncryptionStream} for where keys come from, and for an
 * example.
 */
export class RecordDecryptionStream
  implements TransformStream<Uint8Array, Uint8Array> {
  /** The bytes that the peer wrote. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Takes the records. */
  readonly writable: WritableStream<Uint8Array>;

  readonly #parser: RecordParser;
  readonly #opened: OrderedResults<Uint8Array>;
  readonly #plaintext: PlaintextQueue;
  readonly #otherDirection: AbortController | undefined;
  #opener!: RecordOpener;
  #controller!: WritableStreamDefaultController;
  #failure: { readonly error: unknown } | undefined;
  /** Whether a chunk is being worked on, which may hold more after CLOSE. */
  #parsing = false;

  /**
   * Makes the stage.
   *
   * @param key The 32-byte traffic key of this direction, which is copied.
   * @param options Whose direction it is.
   * @throws {TypeError} if `key` is no `Uint8Array` or the sender unknown.
   * @throws {RangeError} if `key` is not 32 bytes long or an option out of range.
   */
  constructor(key: Uint8Array, options: RecordStreamOptions = {}) {
    assertRecordArguments(key, options);
    const { sender = "initiator", rekeyInterval } = options;
    const tied: TiedOptions = options;
    this.#otherDirection = tied[otherDirection];
    this.#parser = tied[recordParser] ?? new RecordParser();
    this.#opened = new OrderedResults(
      (plaintexts) => this.#release(plaintexts),
      // Whatever an engine says, a record that does not open is not authentic.
      () => this.#fail(notAuthentic()),
    );
    this.#plaintext = new PlaintextQueue((reason) => {
      this.#fail(reason);
      return this.#opened.stop(); // No earlier than what is in work.
    });
    this.readable = this.#plaintext.readable;
    this.writable = new WritableStream({
      start: async (controller) => {
        this.#controller = controller;
        this.#opener = await RecordOpener.create(key, {
          expectReady: sender === "initiator",
          rekeyInterval,
        });
      },
      write: (chunk) => this.#write(chunk),
      close: () => this.#end(),
      // After CLOSE it is all the same how the transport ends.
      abort: (reason) => {
        if (!this.#isOver()) this.#fail(reason);
      },
    });
  }

  async #write(chunk: Uint8Array): Promise<void> {
    this.#parsing = true;
    try {
      for (const record of this.#parser.parse(inArrayBuffer(chunk))) {
        if (this.#opened.size >= MAX_RECORDS_IN_WORK) {
          await this.#opened.below(MAX_RECORDS_IN_WORK);
        }
        if (this.#opener.rekeyIsDue) await this.#opener.rekey();
        if (this.#opened.over) break;
        this.#opened.push(this.#opener.open(record));
      }
    } catch (error) {
      this.#opened.push(Promise.reject(error)); // In its turn.
    }
    this.#parsing = false;
    this.#closeIfOver();
    const room = this.#plaintext.room();
    if (room) await room;
    if (this.#opened.over) await this.#opened.stop(); // Until it has been told.
    if (this.#failure) throw this.#failure.error;
  }

  /** The bytes have ended. */
  async #end(): Promise<void> {
    await this.#opened.below(1);
    if (this.#failure) throw this.#failure.error;
    if (this.#opener.closed) return;
    const error = new ConnectionLostError(
      "Cannot receive as the secure stream ended before its CLOSE record",
      { received: this.#parser.pending },
    );
    this.#fail(error);
    throw error;
  }

  /** Takes the next plaintexts in order, all of them authentic. */
  #release(plaintexts: readonly Uint8Array[]): void {
    for (const plaintext of plaintexts) {
      const body = this.#opener.accept(plaintext);
      if (body) this.#plaintext.push(body);
    }
    if (!this.#parsing) this.#closeIfOver();
  }

  /** Closes the readable end at CLOSE, if that was the last of what has come. */
  #closeIfOver(): void {
    if (this.#isOver()) this.#plaintext.end();
    else if (this.#opener.closed && this.#opened.size === 0) {
      this.#fail(notAuthentic());
    }
  }

  #isOver(): boolean {
    return this.#opener.closed && this.#opened.size === 0 &&
      !this.#opened.over && this.#parser.pending === 0;
  }

  #fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    this.#opened.stop();
    this.#controller.error(error);
    // Who has read the end reads no more, so this must show elsewhere.
    if (this.#plaintext.closed) this.#otherDirection?.abort(error);
    else this.#plaintext.fail(error);
  }
}

/** A chunk as WebCrypto takes it: it refuses shared memory. */
function inArrayBuffer(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  return isInArrayBuffer(chunk) ? chunk : new Uint8Array(chunk);
}

function isInArrayBuffer(chunk: Uint8Array): chunk is Uint8Array<ArrayBuffer> {
  return chunk.buffer instanceof ArrayBuffer;
}
