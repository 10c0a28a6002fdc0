import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import type { Stages } from "./_pipeline.ts";
import type { ChannelOptions } from "./channel_options.ts";

/**
 * Opens the stages of a channel that must talk to the peer first, as encryption
 * does. Whatever has gone wrong, or `signal` has aborted, it leaves no timer,
 * and both sides of the stream unlocked.
 */
export type StageOpener = (
  stream: ByteStreamPair,
  signal: AbortSignal,
) => Promise<Pick<Stages, "encryption">>;

/** The key of the option by which a preset hands its stages to `Channel`. */
export const openStages = Symbol("openStages");

/** {@linkcode ChannelOptions} with the stages of a preset. */
export interface StagedOptions extends ChannelOptions {
  readonly [openStages]?: StageOpener;
}
