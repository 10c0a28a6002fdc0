import { STREAM_CHUNK_SIZE } from "../streams/constants.ts";
import { assertChunk } from "./_assert_message.ts";
import type { ChunkStage, StageSink } from "./_staged_source.ts";
import { OrderedResults } from "./_ordered_results.ts";
import {
  CLOSE_REASON_END,
  MAX_BODY_LENGTH,
  MAX_RECORDS_IN_WORK,
  RECORD_HEADER_LENGTH,
  RecordType,
} from "./_record.ts";
import { joinRecords, type RecordSealer } from "./_record_sealer.ts";
import type { SecureRole } from "./secure_options.ts";

/** How a {@linkcode RecordEncryptor} works. */
export interface RecordEncryptorOptions {
  /** Whose direction it is. */
  readonly sender: SecureRole;
  /** Whether whoever takes the chunks gives their buffers back. */
  readonly pooled: boolean;
  /** The most that several records are joined to, in bytes; at most `CHUNK_CAPACITY`. */
  readonly maxJoined: number;
}

/**
 * Turns chunks into records, from READY to CLOSE: one record for each chunk, or
 * several for a long one. A chunk has been copied when more is taken. One of no
 * length makes no record, and stays in its place.
 */
export class RecordEncryptor implements ChunkStage {
  readonly #sealer: RecordSealer;
  readonly #sealed: OrderedResults<Uint8Array<ArrayBuffer>>;

  constructor(
    sealer: RecordSealer,
    { sender, pooled, maxJoined }: RecordEncryptorOptions,
    sink: Omit<StageSink, "end">,
  ) {
    this.#sealer = sealer;
    this.#sealed = new OrderedResults(
      (records) => {
        for (const chunk of toChunks(records, maxJoined, pooled)) {
          sink.enqueue(chunk);
        }
      },
      (error) => sink.fail(error),
    );
    if (sender === "initiator") this.#seal(RecordType.READY, EMPTY);
  }

  /** While other threads work, they get more. */
  get goesAhead(): boolean {
    return this.#sealed.size > 0;
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    // What cannot be copied would send what the plaintext buffer held before.
    assertChunk(chunk, "encrypt");
    // Almost always there is nothing to wait for.
    if (chunk.byteLength > MAX_BODY_LENGTH || this.#mustWait()) {
      return this.#sealAll(chunk);
    }
    if (chunk.byteLength === 0) this.#sealed.push(EMPTY);
    else this.#seal(RecordType.DATA, chunk);
    return undefined;
  }

  async end(): Promise<void> {
    if (this.#mustWait()) await this.#room();
    this.#seal(RecordType.CLOSE, new Uint8Array([CLOSE_REASON_END]));
    await this.#sealed.below(1);
  }

  stop(): Promise<void> {
    return this.#sealed.stop();
  }

  async #sealAll(chunk: Uint8Array): Promise<void> {
    if (this.#mustWait()) await this.#room();
    const { byteLength } = chunk;
    if (byteLength === 0) this.#sealed.push(EMPTY);
    // A little less than the most, so that two records make one write.
    const step = byteLength > MAX_BODY_LENGTH ? STREAM_CHUNK_SIZE : byteLength;
    for (let at = 0; at < byteLength; at += step) {
      if (this.#mustWait()) await this.#room();
      this.#seal(RecordType.DATA, chunk.subarray(at, at + step));
    }
  }

  #mustWait(): boolean {
    return this.#sealed.size >= MAX_RECORDS_IN_WORK || this.#sealed.over ||
      this.#sealer.cipher.rekeyIsDue;
  }

  async #room(): Promise<void> {
    await this.#sealed.below(MAX_RECORDS_IN_WORK);
    if (this.#sealer.cipher.rekeyIsDue) await this.#sealer.cipher.rekey();
  }

  #seal(type: number, body: Uint8Array): void {
    // Given up: it fails once nothing is under way, and more would put that off.
    if (!this.#sealed.over) this.#sealed.push(this.#sealer.seal(type, body));
  }
}

/** Joins records to as few chunks of `most` bytes as their sizes allow. Zero-length chunks stay. */
function* toChunks(
  records: readonly Uint8Array<ArrayBuffer>[],
  most: number,
  pooled: boolean,
): Generator<Uint8Array<ArrayBuffer>> {
  let group: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for (const record of records) {
    const size = RECORD_HEADER_LENGTH + record.byteLength;
    const isMark = record.byteLength === 0;
    if (group.length > 0 && (isMark || length + size > most)) {
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

const EMPTY = new Uint8Array(0);
