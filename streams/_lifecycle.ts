import { StreamClosedError, StreamError } from "../errors.ts";
import { Outcome } from "./_outcome.ts";
import { toAbortError } from "./_stream_error.ts";
import type { ByteTransport } from "./byte_transport.ts";

/**
 * How a stream ends: each direction by itself, or both at once by a failure or
 * the local close. The transport is let go of once, when both are over; an abort
 * cuts that short.
 */
export class Lifecycle {
  readonly #transport: ByteTransport;
  readonly #onDeath: (reason: unknown) => void;
  readonly #finished = new Outcome<StreamError | undefined>();
  #inboundOver = false;
  #outboundOver = false;
  /** Why nothing works any more: a failure, an abort, or the local close. */
  #death: { readonly reason: unknown } | undefined;
  /** How the transport is being let go of: an abort may follow a close. */
  #release: "close" | "abort" | undefined;
  #failure: StreamError | undefined;

  /**
   * @param transport What is let go of.
   * @param onDeath Called when nothing works any more, with the reason.
   */
  constructor(transport: ByteTransport, onDeath: (reason: unknown) => void) {
    this.#transport = transport;
    this.#onDeath = onDeath;
  }

  /** Settles with the failure, if any, when the transport was let go of. */
  get finished(): Promise<StreamError | undefined> {
    return this.#finished.promise;
  }

  /** Whether both directions are over. */
  get closed(): boolean {
    return this.#death !== undefined || this.#release !== undefined;
  }

  /** Whether the peer has ended, or we read no more. */
  get inboundOver(): boolean {
    return this.#inboundOver;
  }

  /** Why nothing works any more, if so. */
  get death(): { readonly reason: unknown } | undefined {
    return this.#death;
  }

  /** Throws the reason if nothing works any more. */
  assertAlive(): void {
    if (this.#death) throw this.#death.reason;
  }

  /** The inbound direction is over. */
  endInbound(): void {
    this.#inboundOver = true;
    this.#letGoIfOver();
  }

  /** The outbound direction is over. */
  endOutbound(): void {
    this.#outboundOver = true;
    this.#letGoIfOver();
  }

  /** The transport has failed: ends both directions at once, unless they are over. */
  fail(reason: unknown): void {
    if (!this.closed) this.abort(reason);
  }

  /** Ends both directions at once, and a close under way; only the first reason counts. */
  abort(reason: unknown): void {
    if (this.#release === "abort" || this.#finished.settled) return;
    if (!this.#death) this.#die(reason);
    this.#failure = toAbortError(reason, "Stream");
    this.#letGo("abort", () => this.#transport.abort(reason));
  }

  /** Ends both directions and lets go of the transport; it never rejects. */
  async close(): Promise<void> {
    if (!this.closed) {
      this.#die(new StreamClosedError("Stream was closed"));
      this.#letGo("close", () => this.#transport.close());
    }
    await this.finished;
  }

  #die(reason: unknown): void {
    this.#death = { reason };
    this.#onDeath(reason);
  }

  #letGoIfOver(): void {
    if (!this.#inboundOver || !this.#outboundOver || this.closed) return;
    this.#letGo("close", () => this.#transport.close());
  }

  async #letGo(
    how: "close" | "abort",
    go: () => Promise<void> | void,
  ): Promise<void> {
    this.#release = how;
    try {
      await go();
    } catch (error) {
      // What the platform complains about a dead transport is of no use; that
      // bytes were lost on the way out is.
      if (error instanceof StreamError) this.#failure ??= error;
    }
    // A close that was cut short is over when the abort is.
    if (this.#release === how) this.#finished.settle(this.#failure);
  }
}
