/** How often the counter is looked at within the limit; it fires up to two looks late. */
const LOOKS = 4;

/** What a {@linkcode StallDetector} watches. */
export interface StallDetectorOptions {
  /** How long without progress is too long, in milliseconds. */
  limit: number;
  /** A number that changes with any progress. */
  progress: () => number;
  /** Whether there should be progress. */
  active: () => boolean;
  /** Called once the limit has passed. */
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
    const { progress, active, onStall } = this.#options;
    const current = progress();
    this.#idleLooks = active() && current === this.#last
      ? this.#idleLooks + 1
      : 0;
    this.#last = current;
    // The first look may come right after the last progress.
    if (this.#idleLooks > LOOKS) onStall();
  }
}
