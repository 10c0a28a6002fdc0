import { StreamTimeoutError } from "../errors.ts";
import { LOOKS, StallDetector } from "./_stall_detector.ts";
import type { HeartbeatOptions } from "./channel_options.ts";

/** What the watch over a channel reads and does. */
export interface Vitals {
  /** Bytes sent so far. */
  sent(): number;
  /** Bytes received so far. */
  received(): number;
  /** Whether a message is half received. */
  receiving(): boolean;
  /** Whether there are bytes that have not left. */
  sending(): boolean;
  /** Whether we read: the local reader is not behind, and the peer has not ended. */
  listening(): boolean;
  /** Sends an empty frame. */
  beat(): void;
  /** Ends the channel. */
  fail(error: StreamTimeoutError): void;
}

/** The timers of a channel: its heartbeat, and its watch for stalls. None by default. */
export class Liveness {
  readonly #stallTimeout: number;
  readonly #heartbeat: HeartbeatOptions | undefined;
  readonly #vitals: Vitals;
  #detectors: StallDetector[] = [];

  constructor(
    options: { stallTimeout: number; heartbeat: HeartbeatOptions | undefined },
    vitals: Vitals,
  ) {
    this.#stallTimeout = options.stallTimeout;
    this.#heartbeat = options.heartbeat;
    this.#vitals = vitals;
  }

  /** Begins the watch. */
  start(): void {
    const { sent, received, receiving, sending, listening, beat } =
      this.#vitals;
    const limit = this.#stallTimeout;
    if (limit > 0) {
      this.#watch(
        limit,
        "Cannot receive message as there was no progress",
        received,
        () => receiving() && listening(),
      );
      this.#watch(
        limit,
        "Cannot send message as there was no progress",
        sent,
        sending,
      );
    }
    if (this.#heartbeat) {
      const { interval, timeout } = this.#heartbeat;
      this.#watch(
        timeout,
        "Cannot receive anything, not even a heartbeat, as the peer was silent",
        received,
        listening,
      );
      this.#detectors.push(
        new StallDetector({
          limit: interval,
          looks: LOOKS - 1, // By the next one the interval will have passed.
          progress: sent,
          // Behind a queue a beat would only wait; what is queued tells the peer as much.
          active: () => !sending(),
          onStall: beat,
        }),
      );
    }
  }

  /** Ends the watch and clears its timers. */
  stop(): void {
    for (const detector of this.#detectors) detector[Symbol.dispose]();
    this.#detectors = [];
  }

  #watch(
    limit: number,
    what: string,
    progress: () => number,
    active: () => boolean,
  ): void {
    const onStall = () =>
      this.#vitals.fail(
        new StreamTimeoutError(
          `${what} for ${limit} ms`,
          { timeout: limit },
        ),
      );
    this.#detectors.push(
      new StallDetector({ limit, progress, active, onStall }),
    );
  }
}
