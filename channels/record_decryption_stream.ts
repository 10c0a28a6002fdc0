import { PlaintextQueue } from "./_plaintext_queue.ts";
import { assertRecordArguments } from "./_record.ts";
import { RecordCipher } from "./_record_cipher.ts";
import { RecordDecryptor } from "./_record_decryptor.ts";
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

  readonly #plaintext: PlaintextQueue;
  /** Made while the writable end starts. */
  #decryptor: RecordDecryptor | undefined;
  #controller!: WritableStreamDefaultController;
  #failure: { readonly error: unknown } | undefined;

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
    this.#plaintext = new PlaintextQueue(async (reason) => {
      this.#fail(reason);
      await this.#decryptor?.stop(); // No earlier than what is in work.
    });
    this.readable = this.#plaintext.readable;
    this.writable = new WritableStream({
      start: async (controller) => {
        this.#controller = controller;
        const cipher = await RecordCipher.create(key, rekeyInterval);
        const opener = new RecordOpener(cipher, sender);
        this.#decryptor = new RecordDecryptor(opener, new RecordParser(), {
          enqueue: (body) => this.#plaintext.push(body),
          end: () => this.#plaintext.end(),
          fail: (error) => this.#fail(error),
        });
      },
      write: (chunk) => this.#write(this.#decryptor!, chunk),
      close: () => this.#close(this.#decryptor!),
      // After CLOSE it is all the same how the transport ends.
      abort: (reason) => {
        if (!this.#decryptor?.closed) this.#fail(reason);
      },
    });
  }

  async #write(decryptor: RecordDecryptor, chunk: Uint8Array): Promise<void> {
    await decryptor.write(chunk);
    await this.#plaintext.room();
    if (this.#failure) throw this.#failure.error;
  }

  /** The bytes have ended. */
  async #close(decryptor: RecordDecryptor): Promise<void> {
    await decryptor.end();
    if (this.#failure) throw this.#failure.error;
  }

  #fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    this.#decryptor?.stop();
    this.#controller.error(error);
    this.#plaintext.fail(error);
  }
}
