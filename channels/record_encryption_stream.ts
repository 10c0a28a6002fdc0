import {
  assertRecordArguments,
  type RecordStreamTestOptions,
} from "./_record.ts";
import { RecordCipher } from "./_record_cipher.ts";
import { CHUNK_CAPACITY } from "./_chunk_pool.ts";
import { RecordEncryptor } from "./_record_encryptor.ts";
import { RecordSealer } from "./_record_sealer.ts";
import type { RecordStreamOptions } from "./record_stream_options.ts";

/** How many bytes of records are made ahead of whoever reads them. */
const HIGH_WATER_MARK = 131_072;

/**
 * A transform stage that encrypts one direction of a secure stream: bytes in,
 * records out, as PROTOCOL.md describes them under "Secure stream v1".
 *
 * - A chunk of up to 65,518 bytes becomes one record, a longer one several of up
 *   to 64,000. It has been copied once its write settles.
 * - Closing the writable end sends CLOSE, without which the peer takes the end
 *   for an attack.
 * - Up to 8 records are encrypted at a time, and leave in order.
 * - A zero-length chunk makes no record: it is passed on in its place.
 *
 * A traffic key must never be used for two streams: that would repeat nonces,
 * which gives away both plaintexts. Keys come fresh from the handshake of
 * {@linkcode SecureStream} or {@linkcode EncryptedChannel}, which make the same
 * records; this stage is for those who bring a handshake of their own.
 *
 * @example
 * ```ts
 * import { RecordDecryptionStream, RecordEncryptionStream } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 * import { toText } from "@std/streams";
 *
 * const key = crypto.getRandomValues(new Uint8Array(32)); // For this stream alone.
 * const text = ReadableStream.from(["Hello, ", "world"])
 *   .pipeThrough(new TextEncoderStream())
 *   .pipeThrough(new RecordEncryptionStream(key))
 *   .pipeThrough(new RecordDecryptionStream(key))
 *   .pipeThrough(new TextDecoderStream());
 *
 * assertEquals(await toText(text), "Hello, world");
 * ```
 */
export class RecordEncryptionStream
  extends TransformStream<Uint8Array, Uint8Array> {
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
    let encryptor: RecordEncryptor | undefined;

    super(
      {
        async start(controller) {
          const cipher = await RecordCipher.create(key, rekeyInterval);
          const sealer = new RecordSealer(cipher);
          encryptor = new RecordEncryptor(sealer, {
            sender,
            pooled: false,
            maxJoined: CHUNK_CAPACITY,
          }, {
            // It throws if the stage was given up while it was being closed.
            enqueue: (chunk) => controller.enqueue(chunk),
            fail: (error) => controller.error(error),
          });
        },
        transform: (chunk) => encryptor!.write(chunk),
        flush: () => encryptor!.end(),
        // What is written meanwhile waits for the same: nothing is under way then.
        cancel: () => encryptor?.stop(),
      },
      undefined,
      { highWaterMark: HIGH_WATER_MARK, size: queueSize },
    );
  }
}

/** Zero-length chunks count too, or a queue of them would have no end. */
function queueSize(chunk: Uint8Array): number {
  return chunk.byteLength + 64;
}
