import { Fifo } from "../streams/_fifo.ts";

/** A result that has its place, and perhaps not yet its value. */
interface Place<T> {
  result?: { readonly value: T } | { readonly error: unknown };
}

/**
 * Work that may finish in any order, released strictly in the order in which it
 * was begun. After the first failure, at its turn, nothing is released; it is
 * told as soon as nothing is under way any more.
 */
export class OrderedResults<T> {
  readonly #release: (values: T[]) => void;
  readonly #fail: (error: unknown) => void;
  readonly #places = new Fifo<Place<T>>();
  #head: Place<T> | undefined;
  #size = 0;
  /** How many promises have not settled, even if nobody wants them. */
  #unsettled = 0;
  #over = false;
  readonly #idle = Promise.withResolvers<void>();
  #waiting?: { readonly below: number; readonly resolve: () => void };

  /**
   * @param release Takes all values that have their turn, in order, at once. What
   * it throws is a failure, too.
   * @param fail Takes the first error.
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

  /** Whether nothing will be released any more. */
  get over(): boolean {
    return this.#over;
  }

  /** Gives a result the next place. One that is here already may be released at once. */
  push(result: T | Promise<T>): void {
    const place: Place<T> = {};
    if (!(result instanceof Promise)) {
      if (this.#over) return;
      if (this.#size === 0) return this.#tryRelease([result]);
      place.result = { value: result };
      return this.#add(place);
    }
    if (!this.#over) this.#add(place);
    this.#unsettled++;
    result.then(
      (value) => this.#settle(place, { value }),
      (error) => this.#settle(place, { error }),
    );
  }

  /** Settles once fewer than `count` are waiting, or a failure has been told. */
  async below(count: number): Promise<void> {
    if (this.#over) return await this.#idle.promise;
    if (this.#size < count) return;
    await new Promise<void>((resolve) => {
      this.#waiting = { below: count, resolve };
    });
  }

  /** Forgets everything. Settles when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#over = true;
    this.#places.clear();
    this.#head = undefined;
    this.#size = 0;
    if (this.#unsettled === 0) this.#idle.resolve();
    await this.#idle.promise;
    this.#waiting?.resolve();
  }

  #add(place: Place<T>): void {
    this.#size++;
    if (this.#head) this.#places.push(place);
    else this.#head = place;
  }

  #settle(place: Place<T>, result: Place<T>["result"]): void {
    this.#unsettled--;
    place.result = result;
    if (this.#over) {
      if (this.#unsettled === 0) this.#idle.resolve();
      return;
    }
    if (place !== this.#head) return;
    const values: T[] = [];
    while (this.#head?.result && "value" in this.#head.result) {
      values.push(this.#head.result.value);
      this.#head = this.#places.shift();
      this.#size--;
    }
    if (values.length > 0) this.#tryRelease(values);
    const next = this.#head?.result;
    if (next && "error" in next) this.#failWith(next.error);
    if (!this.#waiting || this.#size >= this.#waiting.below || this.#over) {
      return;
    }
    const { resolve } = this.#waiting;
    this.#waiting = undefined;
    resolve();
  }

  #tryRelease(values: T[]): void {
    try {
      this.#release(values);
    } catch (error) {
      this.#failWith(error);
    }
  }

  #failWith(error: unknown): void {
    if (this.#over) return;
    // Before anybody who waits for the end goes on.
    this.#idle.promise.then(() => this.#fail(error));
    this.stop();
  }
}
