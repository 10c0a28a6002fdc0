/**
 * A promise that is made when somebody first asks for it: most streams and
 * channels live and die without that, and many of them are idle.
 */
export class Outcome<T> {
  #settled: { readonly value: T } | undefined;
  #resolvers: PromiseWithResolvers<T> | undefined;

  /** Whether the promise has settled, or will when somebody asks for it. */
  get settled(): boolean {
    return this.#settled !== undefined;
  }

  /** Settles with the first value given to {@linkcode settle}. */
  get promise(): Promise<T> {
    if (this.#resolvers === undefined) {
      this.#resolvers = Promise.withResolvers();
      if (this.#settled) this.#resolvers.resolve(this.#settled.value);
    }
    return this.#resolvers.promise;
  }

  /** Settles the promise; only the first time counts. */
  settle(value: T): void {
    this.#settled ??= { value };
    this.#resolvers?.resolve(value);
  }
}
