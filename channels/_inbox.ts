import type { FrameBatch } from "./_frame_batch.ts";
import { Fifo } from "../streams/_fifo.ts";
import { handled, rejected, rejectHandled } from "./_handled.ts";
import { MAX_TIME } from "../streams/_assert.ts";
import { withdrawable } from "../streams/_withdrawable.ts";

/** A `recv` that waits for a message. */
type Receiver = PromiseWithResolvers<Uint8Array<ArrayBuffer> | null>;

/** What becomes of compressed messages. */
interface Inflater {
  /** Called when a message is taken; what it throws is the failure of that `recv()`. */
  inflate(data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
}

/**
 * The receiving end of a channel: messages that have arrived and the calls that
 * wait for one. What arrived whole before a failure is still handed out; then
 * every call rejects with that failure.
 */
export class Inbox {
  readonly #inflater: Inflater;
  #highWaterMark: number;
  readonly #batches = new Fifo<FrameBatch>();
  /** Messages that have arrived, and wait for the channel's turn. */
  #held: FrameBatch | undefined;
  /** The batch being handed out. */
  #batch: FrameBatch | undefined;
  #queuedBytes = 0;
  readonly #receivers = new Fifo<Receiver>();
  #watchers: Set<() => void> | undefined;
  #resume: (() => void) | undefined;
  #over: { readonly failure?: unknown } | undefined;
  /** Until when nothing is read of what comes after the end. */
  #paused: PromiseWithResolvers<void> | undefined;
  #taken = 0;

  /**
   * @param highWaterMark In bytes of the wire.
   * @param inflater For compressed messages.
   */
  constructor(highWaterMark: number, inflater: Inflater) {
    this.#highWaterMark = highWaterMark;
    this.#inflater = inflater;
  }

  /** How many messages were handed out. */
  get taken(): number {
    return this.#taken;
  }

  /** Whether no message is queued. */
  get isEmpty(): boolean {
    return this.#batch === undefined && this.#held === undefined;
  }

  /** Whether nobody will receive what comes. */
  get over(): boolean {
    return this.#over !== undefined;
  }

  /** Whether the local reader is behind, so that nothing more is read. */
  get full(): boolean {
    return this.#resume !== undefined;
  }

  /** Keeps messages until they are pushed, so that a failure does not cost them. */
  hold(batch: FrameBatch): void {
    this.#held = batch;
  }

  /** Appends messages; settles once there is room for more. */
  push(batch: FrameBatch): Promise<void> | undefined {
    this.#held = undefined;
    // An endless source must not hold up the end.
    if (this.#over) return this.#paused?.promise ?? nextTurn();
    if (batch.size === 0) return;
    this.#queuedBytes += batch.queueSize;
    if (this.#batch === undefined) this.#batch = batch;
    else this.#batches.push(batch);
    while (this.#receivers.size > 0 && this.#batch !== undefined) {
      const receiver = this.#receivers.shift()!;
      try {
        receiver.resolve(this.take()!);
      } catch (error) {
        rejectHandled(receiver, error);
      }
    }
    this.#notify();
    if (this.#queuedBytes < this.#highWaterMark) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resume = resolve;
    return promise;
  }

  /** Takes in whatever is still to come. */
  unbind(): void {
    this.#highWaterMark = Infinity;
    this.#resumeReading();
    this.resume();
  }

  /** Has what comes after the end wait. */
  pause(): void {
    this.#paused = Promise.withResolvers();
  }

  /** Drops what comes after the end. */
  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  /** The peer has ended; what is queued is still handed out. */
  end(): void {
    if (this.#over) return;
    this.#over = {};
    for (const { resolve } of this.#receivers.clear()) resolve(null);
    this.#notify();
  }

  /** The channel has failed; what is queued is still handed out. */
  fail(failure: unknown): void {
    if (this.#held) this.push(this.#held);
    this.#over = { failure };
    for (const receiver of this.#receivers.clear()) {
      rejectHandled(receiver, failure);
    }
    this.#notify();
    this.#resumeReading(); // So that the pipeline can come to its end.
    this.resume();
  }

  /** Forgets what is queued. */
  drop(): void {
    this.#held = undefined;
    this.#batch = undefined;
    this.#batches.clear();
    this.#queuedBytes = 0;
    this.#resumeReading();
  }

  /** The next message if it is there. */
  take(): Uint8Array<ArrayBuffer> | undefined {
    const batch = this.#batch;
    if (batch === undefined) return undefined;
    const { isCompressed } = batch;
    const payload = batch.take();
    if (batch.size === 0) this.#finish(batch);
    const message = isCompressed ? this.#inflater.inflate(payload) : payload;
    this.#taken++;
    return message;
  }

  /** The next message, or `null` at the end. */
  receive(signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer> | null> {
    if (this.#over) {
      return "failure" in this.#over
        ? rejected(this.#over.failure)
        : Promise.resolve(null);
    }
    const receiver: Receiver = Promise.withResolvers();
    this.#receivers.push(receiver);
    if (!signal) return receiver.promise;
    return handled(
      withdrawable(receiver, signal, () => this.#receivers.remove(receiver)),
    );
  }

  /**
   * Whether a message, or the end, is there within `timeout` milliseconds.
   * Rejects once the channel has failed and nothing is left.
   */
  async poll(timeout: number, signal?: AbortSignal): Promise<boolean> {
    if (timeout > 0 && !this.#ready) await this.#arrival(timeout, signal);
    if (this.#batch !== undefined) return true;
    if (this.#over && "failure" in this.#over) throw this.#over.failure;
    return this.#over !== undefined;
  }

  get #ready(): boolean {
    return this.#batch !== undefined || this.#over !== undefined;
  }

  /** Settles when a message is there and nobody waits for it, at the end, or when the time is up. */
  async #arrival(timeout: number, signal?: AbortSignal): Promise<void> {
    let waiting = true;
    let wake = () => {};
    const stop = () => {
      waiting = false;
      wake();
    };
    const timer = timeout > MAX_TIME ? undefined : setTimeout(stop, timeout);
    signal?.addEventListener("abort", stop, { once: true });
    const watcher = () => wake();
    (this.#watchers ??= new Set()).add(watcher);
    try {
      // A `recv()` may take what has arrived before we see it.
      while (waiting && !this.#ready) {
        await new Promise<void>((resolve) => wake = resolve);
      }
      signal?.throwIfAborted();
    } finally {
      this.#watchers?.delete(watcher);
      signal?.removeEventListener("abort", stop);
      clearTimeout(timer);
    }
  }

  #finish(batch: FrameBatch): void {
    this.#queuedBytes -= batch.queueSize;
    this.#batch = this.#batches.shift();
    if (this.#queuedBytes < this.#highWaterMark) this.#resumeReading();
  }

  #resumeReading(): void {
    this.#resume?.();
    this.#resume = undefined;
  }

  #notify(): void {
    this.#watchers?.forEach((watcher) => watcher());
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
