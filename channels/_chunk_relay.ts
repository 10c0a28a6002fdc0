import type { ChunkSource } from "../streams/_chunks.ts";
import { handled, rejected } from "./_handled.ts";

/** A chunk that waits to be taken, or to be done with. */
interface Offer {
  readonly chunk: Uint8Array;
  readonly done: PromiseWithResolvers<void>;
}

/** Hands chunks that are given one at a time to whoever takes them, without a queue or a copy. */
export class ChunkRelay implements ChunkSource {
  #offer: Offer | undefined;
  /** What was taken last, and is in use until more is asked for. */
  #inUse: Offer | undefined;
  #taker: PromiseWithResolvers<Uint8Array | undefined> | undefined;
  #closed = false;
  #cancelled: { readonly reason: unknown } | undefined;

  /** Gives a chunk, when the one before is done with; settles when this one is. */
  give(chunk: Uint8Array): Promise<void> {
    if (this.#cancelled) return rejected(this.#cancelled.reason);
    this.#offer = { chunk, done: Promise.withResolvers() };
    const { promise } = this.#offer.done;
    this.#serve();
    return handled(promise);
  }

  /** Nothing more will be given. */
  close(): void {
    this.#closed = true;
    this.#serve();
  }

  next(): Promise<Uint8Array | undefined> {
    this.#inUse?.done.resolve();
    this.#inUse = undefined;
    this.#taker = Promise.withResolvers();
    const { promise } = this.#taker;
    this.#serve();
    return promise;
  }

  cancel(reason: unknown): void {
    this.#cancelled ??= { reason };
    for (const offer of [this.#inUse, this.#offer]) offer?.done.reject(reason);
    this.#taker?.resolve(undefined);
  }

  #serve(): void {
    const offer = this.#offer;
    if (!this.#taker || !offer && !this.#closed) return;
    this.#taker.resolve(offer?.chunk);
    this.#taker = undefined;
    this.#inUse = offer;
    this.#offer = undefined;
  }
}
