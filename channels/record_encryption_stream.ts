import { CHUNK_CAPACITY } from "./_chunk_pool.ts";
import { OrderedResults } from "./_ordered_results.ts";
import {
  assertRecordArguments,
  chunkSize,
  CLOSE_REASON_END,
  MAX_BODY_LENGTH,
  MAX_RECORDS_IN_WORK,
  RECORD_HEADER_LENGTH,
  RecordType,
  STAGE_HIGH_WATER_MARK,
} from "./_record.ts";
import { joinRecords, RecordSealer } from "./_record_sealer.ts";
import {
  onStart,
  otherDirection,
  pooledOutput,
  type TiedOptions,
} from "./_tied_options.ts";
import type { RecordStreamOptions } from "./record_stream_options.ts";

/**
 * A transform stage that encrypts one direction of a secure stream: bytes in,
 * records out, as PROTOCOL.md describes them under "Secure stream v1".
 *
 * - A chunk becomes one record, or several of up to 65,518 bytes. It has been
 *   copied once its write settles.
 * - Closing the writable end sends CLOSE, without which the peer takes the end
 *   for an attack.
 * - Up to 8 records are encrypted at a time, and leave in order.
 * - A zero-length chunk makes no record: it is passed on in its place.
 *
 * A traffic key must never be used for two streams: that would repeat nonces,
 * which gives away both plaintexts. Keys come fresh from the handshake of
 * {@linkcode SecureStream} or {@linkcode EncryptedChannel}, which use this stage;
 * by itself it is for those who bring a handshake of their own.
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
   * @throws {RangeError} if `key` is not 32 bytes long or an option out of range.
   */
  constructor(key: Uint8Array, options: RecordStreamOptions = {}) {
    assertRecordArguments(key, options);
    const { sender = "initiator", rekeyInterval } = options;
    const tied: TiedOptions = options;
    const { [otherDirection]: inbound, [pooledOutput]: pooled = false } = tied;
    let sealer: RecordSealer;
    let sealed: OrderedResults<Uint8Array>;

    const room = async () => {
      if (sealed.size < MAX_RECORDS_IN_WORK) return;
      await sealed.below(MAX_RECORDS_IN_WORK);
    };
    const seal = async (type: number, body: Uint8Array) => {
      await room();
      if (sealer.rekeyIsDue) await sealer.rekey();
      // Given up: the writable end fails once nothing is under way, and more
      // would put that off.
      if (sealed.over) await sealed.stop();
      else sealed.push(sealer.seal(type, body));
    };
    const sealAll = async (chunk: Uint8Array) => {
      if (chunk.byteLength === 0) {
        await room();
        sealed.push(chunk);
      }
      for (let at = 0; at < chunk.byteLength; at += MAX_BODY_LENGTH) {
        await seal(RecordType.DATA, chunk.subarray(at, at + MAX_BODY_LENGTH));
      }
    };

    super(
      {
        async start(controller) {
          sealed = new OrderedResults(
            // It throws if the stage was given up while it was being closed.
            (records) => {
              for (const chunk of toChunks(records, pooled)) {
                controller.enqueue(chunk);
              }
            },
            (error) => controller.error(error),
          );
          tied[onStart]?.(() => sealed.stop());
          inbound?.signal.addEventListener("abort", () => {
            sealed.stop();
            controller.error(inbound.signal.reason);
          });
          sealer = await RecordSealer.create(key, rekeyInterval);
          if (sender === "initiator") {
            await seal(RecordType.READY, new Uint8Array(0));
          }
        },
        transform(chunk) {
          // Almost always there is nothing to wait for.
          if (
            chunk.byteLength > MAX_BODY_LENGTH || sealer.rekeyIsDue ||
            sealed.size >= MAX_RECORDS_IN_WORK || sealed.over
          ) {
            return sealAll(chunk);
          }
          sealed.push(
            chunk.byteLength === 0
              ? chunk
              : sealer.seal(RecordType.DATA, chunk),
          );
          return undefined;
        },
        async flush() {
          await seal(RecordType.CLOSE, new Uint8Array([CLOSE_REASON_END]));
          await sealed.below(1);
        },
        cancel() {
          // Not awaited: the platform drops what is written until this settles,
          // and a writer that never waits would keep it from settling.
          sealed.stop();
        },
      },
      undefined,
      { highWaterMark: STAGE_HIGH_WATER_MARK, size: chunkSize },
    );
  }
}

/** Joins records to as few chunks as their sizes allow. Zero-length chunks stay. */
function* toChunks(
  records: readonly Uint8Array[],
  pooled: boolean,
): Generator<Uint8Array> {
  let group: Uint8Array[] = [];
  let length = 0;
  for (const record of records) {
    const size = RECORD_HEADER_LENGTH + record.byteLength;
    const isMark = record.byteLength === 0;
    if (group.length > 0 && (isMark || length + size > CHUNK_CAPACITY)) {
      yield joinRecords(group, length, pooled);
      group = [];
      length = 0;
    }
    if (isMark) {
      yield record;
      continue;
    }
    group.push(record);
    length += size;
  }
  if (group.length > 0) yield joinRecords(group, length, pooled);
}
