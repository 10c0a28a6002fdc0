import { deadline } from "jsr:@std/async@^1.5.0/deadline";
import type { Channel } from "../channels/channel.ts";

/** How long what was sent may take to leave a channel that is given back, in milliseconds. */
const FLUSH_TIMEOUT = 1000;

/** When a channel is too old, or idle for too long, in milliseconds; 0 is never. */
export interface PooledChannelLimits {
  readonly idleTimeout: number;
  readonly maxAge: number;
}

/** A channel of a pool: whether it can be used again, and its watch while it is idle. */
export class PooledChannel {
  readonly channel: Channel;
  readonly #limits: PooledChannelLimits;
  readonly #born = performance.now();
  #idleSince = 0;
  #watch: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(channel: Channel, limits: PooledChannelLimits) {
    this.channel = channel;
    this.#limits = limits;
  }

  /** How long it has been idle by now, in milliseconds. */
  get idleTime(): number {
    return performance.now() - this.#idleSince;
  }

  /** Whether it is as good as new. Sends what was accepted, for a second. */
  async isReusable(): Promise<boolean> {
    const { channel } = this;
    if (channel.closed || this.#remainingAge <= 0) return false;
    try {
      // Also what a batch or encryption holds, of which `stats` says nothing.
      await deadline(channel.flush(), FLUSH_TIMEOUT);
      // A message that nobody received would be taken for a reply by the next.
      return !await channel.poll() && !channel.closed;
    } catch {
      return false; // It is broken, or its peer does not read.
    }
  }

  /** Begins to be idle; `onSpoiled` is called once if it must not be used again. */
  rest(onSpoiled: () => void): void {
    const watch = new AbortController();
    this.#watch = watch;
    this.#idleSince = performance.now();
    const spoil = () => {
      if (!watch.signal.aborted) onSpoiled();
    };
    // The end of the peer, a failure, or a message that nobody asked for.
    this.channel.poll(Infinity, { signal: watch.signal }).then(spoil, spoil);
    const { idleTimeout } = this.#limits;
    const time = Math.min(idleTimeout || Infinity, this.#remainingAge);
    if (time < Infinity) this.#timer = setTimeout(spoil, time);
  }

  /** Ends to be idle. */
  wake(): void {
    clearTimeout(this.#timer);
    this.#watch?.abort();
    this.#watch = undefined;
  }

  get #remainingAge(): number {
    const { maxAge } = this.#limits;
    return maxAge === 0 ? Infinity : this.#born + maxAge - performance.now();
  }
}
