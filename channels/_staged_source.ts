import type { ChunkSource } from "../streams/_chunks.ts";
import { Fifo } from "../streams/_fifo.ts";

/** Where a stage puts what it makes. */
export interface StageSink {
  /** Takes the next chunk. */
  enqueue(chunk: Uint8Array<ArrayBuffer>): void;
  /** Nothing more will come, though the input may go on. */
  end(): void;
  /** The stage has failed, and nothing more will come. */
  fail(error: unknown): void;
}

/**
 * A stage by itself, without queues: chunks in, chunks out, at once or later.
 * The public streams and a channel's {@linkcode StagedSource} share them.
 */
export interface ChunkStage {
  /** Whether it takes chunks before anybody asks for what comes out. */
  readonly goesAhead: boolean;
  /** Takes a chunk; what it returns, if anything, settles when it takes more. */
  write(chunk: Uint8Array): Promise<void> | undefined;
  /** The input has ended; settles when all has come out. */
  end(): Promise<void>;
  /** The input has failed; settles when all has come out that came before. Without it that is dropped. */
  drain?(): Promise<void>;
  /** Gives up; settles when nothing is under way any more. */
  stop(): Promise<void>;
}

/** How many bytes come out of a stage before anybody asks for them. */
const MAX_AHEAD = 131_072;

/** How a {@linkcode StagedSource} differs from the default. */
interface StagedSourceOptions {
  /** Told of a failure of the stage at once; `late` is one after the end was taken. */
  readonly onFailure?: (error: unknown, when: { late: boolean }) => void;
}

/**
 * Chunks of a source, taken through a stage. It asks the source for what it is
 * asked for; only a stage that works on other threads is kept busy meanwhile.
 */
export class StagedSource implements ChunkSource<ArrayBuffer>, StageSink {
  /** Settles when nothing more is taken from the source; it never rejects. */
  readonly settled: Promise<void>;

  readonly #source: ChunkSource;
  readonly #stage: ChunkStage;
  readonly #options: StagedSourceOptions;
  readonly #chunks = new Fifo<Uint8Array<ArrayBuffer>>();
  #size = 0;
  #taker: PromiseWithResolvers<Uint8Array<ArrayBuffer> | undefined> | undefined;
  /** Wakes the loop that waits until something is wanted. */
  #wake: (() => void) | undefined;
  /** What comes after the chunks. */
  #over: { readonly error?: unknown } | undefined;
  /** Whether the taker knows of it. */
  #told = false;

  /**
   * @param source It belongs to this.
   * @param makeStage Makes the stage, given where its chunks go.
   */
  constructor(
    source: ChunkSource,
    makeStage: (sink: StageSink) => ChunkStage,
    options: StagedSourceOptions = {},
  ) {
    this.#source = source;
    this.#options = options;
    this.#stage = makeStage(this);
    this.settled = this.#run();
  }

  /** Fails it, unless it has ended. */
  giveUp(reason: unknown): void {
    if (this.#over) return;
    this.fail(reason);
    this.#stage.stop();
  }

  /** A chunk that is there, if it has at most `maxSize` bytes. */
  take(maxSize: number): Uint8Array<ArrayBuffer> | undefined {
    const chunk = this.#chunks.peek();
    if (!chunk || chunk.byteLength > maxSize) return undefined;
    this.#chunks.shift();
    this.#size -= chunk.byteLength;
    this.#wake?.();
    return chunk;
  }

  next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const chunk = this.take(Infinity);
    if (chunk) return Promise.resolve(chunk);
    this.#taker = Promise.withResolvers();
    const { promise } = this.#taker;
    if (this.#over) this.#tell();
    this.#wake?.();
    return promise;
  }

  /** Settles when nothing is under way any more. */
  cancel(reason: unknown): Promise<void> {
    this.#finish({ error: reason });
    this.#source.cancel(reason);
    return this.#stage.stop();
  }

  enqueue(chunk: Uint8Array<ArrayBuffer>): void {
    const taker = this.#taker;
    if (taker) {
      this.#taker = undefined;
      return taker.resolve(chunk);
    }
    this.#chunks.push(chunk);
    this.#size += chunk.byteLength;
  }

  end(): void {
    if (!this.#over) this.#finish({});
  }

  fail(error: unknown): void {
    if (this.#failed) return;
    const late = this.#told;
    this.#finish({ error });
    this.#source.cancel(error);
    this.#options.onFailure?.(error, { late });
  }

  get #failed(): boolean {
    return this.#over !== undefined && "error" in this.#over;
  }

  /** Whether the source should give more now. */
  get #wantsMore(): boolean {
    if (this.#taker !== undefined || this.#over !== undefined) return true;
    return this.#stage.goesAhead && this.#size < MAX_AHEAD;
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        while (!this.#wantsMore) {
          await new Promise<void>((resolve) => this.#wake = resolve);
        }
        if (this.#failed) return;
        // After the end as well: what comes then may be a failure of the stage.
        let chunk;
        try {
          chunk = await this.#source.next();
        } catch (error) {
          await this.#stage.drain?.();
          if (this.#over) return; // It is all the same then how the source ends.
          throw error;
        }
        if (this.#failed) return;
        if (chunk === undefined) break;
        const room = this.#stage.write(chunk);
        if (room) await room;
      }
      await this.#stage.end();
      this.end();
    } catch (error) {
      this.fail(error);
      this.#stage.stop();
    }
  }

  #finish(over: { readonly error?: unknown }): void {
    this.#over = over;
    this.#wake?.();
    if (this.#taker) this.#tell();
  }

  #tell(): void {
    const taker = this.#taker!;
    this.#taker = undefined;
    this.#told = true;
    if (this.#failed) taker.reject(this.#over!.error);
    else taker.resolve(undefined);
  }
}
