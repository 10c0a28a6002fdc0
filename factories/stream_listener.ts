import type { SignalOptions } from "../streams/byte_stream.ts";
import type { SocketStream } from "../streams/socket_stream.ts";

/**
 * Accepts connections, one at a time. It comes from `listen`.
 *
 * - An accept that fails for want of a free file, or for any other passing
 *   reason, is tried again after 5 ms to 1 s. It never ends the iteration.
 * - TLS handshakes are done when a stream is handed out. They run beside the
 *   accepting, each under a deadline, so that a silent client holds up nobody.
 * - Connections are accepted while somebody waits for one; until then they wait
 *   in the system's backlog. Over TLS more may be accepted than are waited for:
 *   those that finish their handshake later are kept for the next `accept()`.
 */
export interface StreamListener<Address extends Deno.Addr = Deno.Addr>
  extends AsyncIterable<SocketStream>, AsyncDisposable, Disposable {
  /** Where it listens. */
  readonly addr: Address;

  /**
   * The next connection, which belongs to the caller. Concurrent calls are
   * served first come, first served.
   *
   * @param options A signal; an aborted `accept()` loses no connection.
   * @throws {StreamClosedError} once the listener was closed.
   */
  accept(options?: SignalOptions): Promise<SocketStream>;

  /**
   * Stops listening and removes the file of a Unix socket. Streams that were
   * handed out go on; a connection that nobody has taken is closed. It is
   * idempotent.
   */
  close(): void;

  /** Lets a waiting `accept()` keep the process alive, as it does by default. */
  ref(): void;

  /** Lets the process end while an `accept()` waits. */
  unref(): void;

  /**
   * The connections, until the listener is closed. Leaving the loop closes the
   * listener, as it does with `Deno.Listener`.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<SocketStream>;

  /** The same as {@linkcode close}. */
  [Symbol.dispose](): void;

  /** Closes, and waits until somebody else can listen on the address. */
  [Symbol.asyncDispose](): Promise<void>;
}
