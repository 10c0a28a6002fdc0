import { ConnectionLostError } from "../errors.ts";
import { inArrayBuffer } from "../streams/_in_array_buffer.ts";
import { assertChunk } from "./_assert_message.ts";
import type { ChunkStage, StageSink } from "./_staged_source.ts";
import { notAuthentic } from "./_encryption_error.ts";
import { OrderedResults } from "./_ordered_results.ts";
import { MAX_RECORDS_IN_WORK } from "./_record.ts";
import type { RecordOpener } from "./_record_opener.ts";
import type { RecordParser } from "./_record_parser.ts";

/**
 * Turns records, cut anywhere, into the chunks that were written, in order, each
 * once its tag has been checked. It ends at CLOSE, and fails at the first record
 * that is not authentic, at any byte after CLOSE, and at an end without it.
 */
export class RecordDecryptor implements ChunkStage {
  readonly #opener: RecordOpener;
  readonly #parser: RecordParser;
  readonly #sink: StageSink;
  readonly #opened: OrderedResults<Uint8Array<ArrayBuffer>>;
  #failed = false;
  /** Whether a chunk is being worked on, which may hold more after CLOSE. */
  #parsing = false;

  constructor(opener: RecordOpener, parser: RecordParser, sink: StageSink) {
    this.#opener = opener;
    this.#parser = parser;
    this.#sink = sink;
    this.#opened = new OrderedResults(
      (plaintexts) => this.#release(plaintexts),
      // Whatever an engine says, a record that does not open is not authentic.
      () => this.#fail(notAuthentic()),
    );
  }

  /** Always: it goes on while what came before is read. */
  readonly goesAhead = true;

  /** Whether CLOSE has come, and nothing after it. */
  get #closed(): boolean {
    return this.#opener.closed && this.#opened.size === 0 &&
      !this.#opened.over && this.#parser.pending === 0;
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    assertChunk(chunk, "decrypt");
    this.#parsing = true;
    return this.#openAll(this.#parser.parse(inArrayBuffer(chunk)));
  }

  async end(): Promise<void> {
    await this.#opened.below(1);
    if (this.#failed || this.#opener.closed) return;
    this.#fail(
      new ConnectionLostError(
        "Cannot receive as the secure stream ended before its CLOSE record",
        { received: this.#parser.pending },
      ),
    );
  }

  drain(): Promise<void> {
    return this.#opened.below(1);
  }

  stop(): Promise<void> {
    return this.#opened.stop();
  }

  /** Opens the rest of what was parsed, short records at once. */
  #openAll(
    records: Iterator<Uint8Array<ArrayBuffer>, void>,
  ): Promise<void> | undefined {
    try {
      for (;;) {
        const { done, value } = records.next();
        if (done) break;
        if (
          this.#opened.size >= MAX_RECORDS_IN_WORK || this.#opened.over ||
          this.#opener.cipher.rekeyIsDue
        ) {
          return this.#openLater(value, records);
        }
        this.#opened.push(this.#opener.open(value));
      }
    } catch (error) {
      this.#opened.push(Promise.reject(error)); // In its turn.
    }
    this.#parsing = false;
    this.#closeIfOver();
    return this.#opened.over ? this.#opened.stop() : undefined; // Until it has been told.
  }

  async #openLater(
    record: Uint8Array<ArrayBuffer>,
    records: Iterator<Uint8Array<ArrayBuffer>, void>,
  ): Promise<void> {
    await this.#opened.below(MAX_RECORDS_IN_WORK);
    if (this.#opened.over) return await this.#opened.stop();
    if (this.#opener.cipher.rekeyIsDue) await this.#opener.cipher.rekey();
    this.#opened.push(this.#opener.open(record));
    await this.#openAll(records);
  }

  /** Takes the next plaintexts in order, all of them authentic. */
  #release(plaintexts: readonly Uint8Array<ArrayBuffer>[]): void {
    for (const plaintext of plaintexts) {
      const body = this.#opener.accept(plaintext);
      if (body) this.#sink.enqueue(body);
    }
    if (!this.#parsing) this.#closeIfOver();
  }

  /** Ends at CLOSE, if that was the last of what has come. */
  #closeIfOver(): void {
    if (this.#closed) this.#sink.end();
    else if (this.#opener.closed && this.#opened.size === 0) {
      this.#fail(notAuthentic());
    }
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#sink.fail(error);
  }
}
