/** How often the counter is looked at within the limit. */
export const LOOKS = 4;

/** What a {@linkcode StallDetector} watches. */
export interface StallDetectorOptions {
  /** How long without progress is too long, in milliseconds. */
  limit: number;
  /** A number that changes with any progress. */
  progress: () => number;
  /** Whether there should be progress. */
  active: () => boolean;
  /** How many looks in a row without any make a stall; by default as many as surely take the limit. */
  looks?: number;
  /** Called at a stall, once. */
  onStall: () => void;
}

/**
 * Notices that something makes no progress. It looks at a counter from time to
 * time, so that progress itself costs nothing.
 */
export class StallDetector implements Disposable {
  readonly #options: StallDetectorOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #last: number;
  #idleLooks = 0;

  constructor(options: StallDetectorOptions) {
    this.#options = options;
    this.#last = options.progress();
    this.#timer = setInterval(() => this.#look(), options.limit / LOOKS);
  }

  /** Stops the watch. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    // The first look may come right after the last progress.
    const { progress, active, looks = LOOKS + 1, onStall } = this.#options;
    const current = progress();
    this.#idleLooks = active() && current === this.#last
      ? this.#idleLooks + 1
      : 0;
    this.#last = current;
    if (this.#idleLooks === looks) onStall();
  }
}
