import type { Channel } from "../channels/channel.ts";
import { StreamClosedError } from "../errors.ts";
import type { ChannelLease } from "./channel_lease.ts";

/** A lease that gives its channel back once. */
export class Lease implements ChannelLease {
  readonly #channel: Channel;
  readonly #release: () => Promise<void>;
  #released: Promise<void> | undefined;

  constructor(channel: Channel, release: () => Promise<void>) {
    this.#channel = channel;
    this.#release = release;
  }

  get channel(): Channel {
    if (!this.#released) return this.#channel;
    throw new StreamClosedError(
      "Cannot use the channel as its lease was released",
    );
  }

  release(): Promise<void> {
    return this.#released ??= this.#release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}
