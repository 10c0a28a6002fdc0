import { concat } from "jsr:@std/bytes@^1.0.6/concat";
import { ChunkRelay } from "./_chunk_relay.ts";
import { StagedSource } from "./_staged_source.ts";
import {
  assertRecordArguments,
  type RecordStreamTestOptions,
} from "./_record.ts";
import { RecordCipher } from "./_record_cipher.ts";
import { RecordDecryptor } from "./_record_decryptor.ts";
import { RecordOpener } from "./_record_opener.ts";
import { RecordParser } from "./_record_parser.ts";
import type { RecordStreamOptions } from "./record_stream_options.ts";

/** Plaintexts are joined to chunks of up to this many bytes; beyond it a copy costs more than a hop. */
const MAX_JOINED = 16_384;

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
 * See {@linkcode RecordEncryptionStream} for where keys come from.
 *
 * @example
 * ```ts
 * import {
 *   EncryptionError,
 *   RecordDecryptionStream,
 *   RecordEncryptionStream,
 * } from "@sluice/sluice";
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { toBytes } from "@std/streams";
 *
 * const key = crypto.getRandomValues(new Uint8Array(32)); // For this stream alone.
 * const data = new TextEncoder().encode("secret");
 * const records = await toBytes(
 *   ReadableStream.from([data]).pipeThrough(new RecordEncryptionStream(key)),
 * );
 * const open = (bytes: Uint8Array) =>
 *   toBytes(ReadableStream.from([bytes]).pipeThrough(new RecordDecryptionStream(key)));
 *
 * assertEquals(await open(records), data);
 * records[records.length - 1]! ^= 1; // One bit of the last tag.
 * await assertRejects(() => open(records), EncryptionError);
 * ```
 */
export class RecordDecryptionStream
  implements TransformStream<Uint8Array, Uint8Array<ArrayBuffer>> {
  /** The bytes that the peer wrote. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Takes the records. */
  readonly writable: WritableStream<Uint8Array>;

  /**
   * Makes the stage.
   *
   * @param key The 32-byte traffic key of this direction, which is copied.
   * @param options Whose direction it is.
   * @throws {TypeError} if `key` is no `Uint8Array` or the sender unknown.
   * @throws {RangeError} if `key` is not 32 bytes long.
   */
  constructor(key: Uint8Array, options: RecordStreamOptions = {}) {
    assertRecordArguments(key, options);
    const { sender = "initiator", rekeyInterval }: RecordStreamTestOptions =
      options;
    const records = new ChunkRelay();
    const plaintext = Promise.withResolvers<StagedSource>();
    let control!: WritableStreamDefaultController;
    let failure: { readonly error: unknown } | undefined;
    this.writable = new WritableStream({
      start: async (controller) => {
        control = controller;
        const cipher = await RecordCipher.create(key, rekeyInterval);
        const opener = new RecordOpener(cipher, sender);
        plaintext.resolve(
          new StagedSource(
            records,
            (sink) => new RecordDecryptor(opener, new RecordParser(), sink),
            {
              onFailure: (error) => {
                failure = { error };
                control.error(error);
              },
            },
          ),
        );
      },
      write: (chunk) => records.give(chunk),
      close: async () => {
        records.close();
        await (await plaintext.promise).settled;
        if (failure) throw failure.error;
      },
      // After CLOSE it is all the same how the transport ends.
      abort: async (reason) => (await plaintext.promise).giveUp(reason),
    });
    this.readable = new ReadableStream({
      pull: async (controller) => {
        const source = await plaintext.promise;
        const first = await source.next();
        if (!first) return controller.close();
        const joined = [first];
        let room = MAX_JOINED - first.byteLength;
        for (let next; (next = source.take(room)); room -= next.byteLength) {
          joined.push(next);
        }
        controller.enqueue(joined.length === 1 ? first : concat(joined));
      },
      cancel: async (reason) => {
        control.error(reason); // So that whoever pipes into it lets go of its source.
        await (await plaintext.promise).cancel(reason);
      },
    }, { highWaterMark: 0 });
  }
}
