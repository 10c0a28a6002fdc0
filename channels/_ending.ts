import type { StreamError } from "../errors.ts";
import { Outcome } from "../streams/_outcome.ts";
import { toAbortError } from "../streams/_stream_error.ts";

/**
 * How far a channel has ended: each direction by itself, or both at once by a
 * failure, which is final. It does nothing about it; {@linkcode Link} does.
 */
export class Ending {
  /** Whether `close()` was called. */
  closing = false;
  /** Whether `abort()` was called: what has arrived is not wanted either. */
  aborted = false;
  inboundOver = false;
  outboundOver = false;
  #failure: { readonly reason: unknown } | undefined;
  #listeners: ((reason: unknown) => void)[] | undefined;
  readonly #finished = new Outcome<StreamError | undefined>();

  /** Settles with the failure, if any, when all is over; it never rejects. */
  get finished(): Promise<StreamError | undefined> {
    return this.#finished.promise;
  }

  /** Why nothing works any more, if so. */
  get failure(): { readonly reason: unknown } | undefined {
    return this.#failure;
  }

  /** Whether both directions are over. */
  get over(): boolean {
    return this.inboundOver && this.outboundOver;
  }

  /** Whether it was closed, has failed, or is over both ways. */
  get closed(): boolean {
    return this.#failure !== undefined || this.closing || this.over;
  }

  /** Whether it was closed locally, and nothing had failed before. */
  get closedLocally(): boolean {
    return this.closing && this.#failure === undefined;
  }

  /** Calls `tell` at the failure, if there is to be one, or now if there was. */
  onFailure(tell: (reason: unknown) => void): void {
    if (this.#failure) tell(this.#failure.reason);
    else (this.#listeners ??= []).push(tell);
  }

  /** @returns Whether this is the failure: only the first counts, and none once all has ended well. */
  fail(reason: unknown): boolean {
    if (this.#failure || (this.closing && this.over)) return false;
    this.#failure = { reason };
    for (const tell of this.#listeners ?? []) tell(reason);
    this.#finished.settle(toAbortError(reason, "Channel"));
    return true;
  }

  /** All has ended well, unless it has failed. */
  finish(): void {
    if (!this.#failure) this.#finished.settle(undefined);
  }
}
