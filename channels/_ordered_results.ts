import { Fifo } from "./_fifo.ts";

/** A result that has its place, and perhaps not yet its value. */
interface Place<T> {
  result?: { readonly value: T } | { readonly error: unknown };
}

/**
 * Work that may finish in any order, released strictly in the order in which
 * it was begun. After the first failure, at its turn, nothing is released.
 */
export class OrderedResults<T> {
  readonly #release: (values: T[]) => void;
  readonly #fail: (error: unknown) => void;
  readonly #places = new Fifo<Place<T>>();
  #head: Place<T> | undefined;
  #size = 0;
  #over = false;
  #waiting?: { readonly below: number; readonly resolve: () => void };

  /**
   * @param release Takes all values that have their turn, in order, at once.
   * @param fail Takes the first error, at its turn.
   */
  constructor(
    release: (values: T[]) => void,
    fail: (error: unknown) => void,
  ) {
    this.#release = release;
    this.#fail = fail;
  }

  /** How many have begun and are not yet released. */
  get size(): number {
    return this.#size;
  }

  /** Gives a result the next place. One that is here already may be released at once. */
  push(result: T | Promise<T>): void {
    if (this.#over) {
      if (result instanceof Promise) result.catch(() => {});
      return;
    }
    if (!(result instanceof Promise)) {
      if (this.#size === 0) return this.#release([result]);
      this.#add({ result: { value: result } });
      return;
    }
    const place: Place<T> = {};
    this.#add(place);
    result.then(
      (value) => this.#settle(place, { value }),
      (error) => this.#settle(place, { error }),
    );
  }

  /** Settles once fewer than `count` are waiting, or nothing will be released any more. */
  async below(count: number): Promise<void> {
    if (this.#size < count || this.#over) return;
    await new Promise<void>((resolve) => {
      this.#waiting = { below: count, resolve };
    });
  }

  /** Forgets everything: what is under way comes to nothing. */
  stop(): void {
    this.#over = true;
    this.#places.clear();
    this.#head = undefined;
    this.#size = 0;
    this.#wake();
  }

  #add(place: Place<T>): void {
    this.#size++;
    if (this.#head) this.#places.push(place);
    else this.#head = place;
  }

  #settle(place: Place<T>, result: Place<T>["result"]): void {
    place.result = result;
    if (place !== this.#head || this.#over) return;
    const values: T[] = [];
    while (this.#head?.result && "value" in this.#head.result) {
      values.push(this.#head.result.value);
      this.#head = this.#places.shift();
      this.#size--;
    }
    if (values.length > 0) this.#release(values);
    const failed = this.#head?.result;
    if (failed && "error" in failed && !this.#over) {
      this.stop();
      this.#fail(failed.error);
    }
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    if (!waiting || (this.#size >= waiting.below && !this.#over)) return;
    this.#waiting = undefined;
    waiting.resolve();
  }
}
