import type { Channel } from "../channels/channel.ts";

/** The use of a channel of a `ChannelPool`, for a while. */
export interface ChannelLease extends AsyncDisposable {
  /**
   * The channel, which nobody else uses until the release.
   *
   * Whoever breaks off in the middle of a conversation (a reply may still come)
   * calls its `abort()`, so that the next lease does not receive that reply.
   *
   * @throws {StreamClosedError} after the release.
   */
  readonly channel: Channel;

  /**
   * Gives the channel back. It is used again if it is as good as new: open, all
   * that was sent has left within a second, and nothing has arrived that was
   * not received. Otherwise it is closed.
   *
   * No call on the channel may be pending. It never rejects; a second call is the
   * same as the first.
   */
  release(): Promise<void>;

  /** The same as {@linkcode release}. */
  [Symbol.asyncDispose](): Promise<void>;
}
