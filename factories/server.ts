/** A running server. It comes from `serve`. */
export interface Server<Address extends Deno.Addr = Deno.Addr>
  extends AsyncDisposable {
  /** Where it listens. */
  readonly addr: Address;

  /** Resolves once the server has stopped and every channel is closed. It never rejects. */
  readonly finished: Promise<void>;

  /**
   * Stops accepting, tells the handlers by their `signal`, and waits until they
   * have settled and their channels are closed. Those that have not after
   * `shutdownTimeout` are aborted, and their handlers not waited for any more.
   *
   * It is idempotent, never rejects, and settles with {@linkcode finished}.
   */
  shutdown(): Promise<void>;

  /** Lets the waiting server keep the process alive, as it does by default. */
  ref(): void;

  /** Lets the process end while the server waits for a connection. */
  unref(): void;

  /** The same as {@linkcode shutdown}. */
  [Symbol.asyncDispose](): Promise<void>;
}
