import { StreamTimeoutError } from "../errors.ts";
import { StallDetector } from "./_stall_detector.ts";
import type { HeartbeatOptions } from "./_options.ts";

/** How often the heartbeat looks within its interval, so that it is never late. */
const LOOKS = 4;

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
  #beats: ReturnType<typeof setInterval> | undefined;

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
    const { sent, received, receiving, sending, listening } = this.#vitals;
    const limit = this.#stallTimeout;
    if (limit > 0) {
      this.#watch(
        limit,
        "receive message",
        received,
        () => receiving() && listening(),
      );
      this.#watch(limit, "send message", sent, sending);
    }
    if (this.#heartbeat) {
      const { interval, timeout } = this.#heartbeat;
      this.#watch(timeout, "receive anything", received, listening);
      this.#beats = setInterval(this.#beater(), interval / LOOKS);
    }
  }

  /** Ends the watch and clears its timers. */
  stop(): void {
    for (const detector of this.#detectors) detector[Symbol.dispose]();
    this.#detectors = [];
    clearInterval(this.#beats);
  }

  #watch(
    limit: number,
    action: string,
    progress: () => number,
    active: () => boolean,
  ): void {
    const onStall = () =>
      this.#vitals.fail(
        new StreamTimeoutError(
          `Cannot ${action} as there was no progress for ${limit} ms`,
          { timeout: limit },
        ),
      );
    this.#detectors.push(
      new StallDetector({ limit, progress, active, onStall }),
    );
  }

  /** Sends an empty frame when an interval will have passed by the next look. */
  #beater(): () => void {
    const { sent, sending, beat } = this.#vitals;
    let last = sent();
    let idleLooks = 0;
    return () => {
      const current = sent();
      // Behind a queue it would only wait; what is queued tells the peer as much.
      idleLooks = current === last && !sending() ? idleLooks + 1 : 0;
      last = current;
      if (idleLooks === LOOKS - 1) beat();
    };
  }
}
