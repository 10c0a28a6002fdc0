import type { RecordParser } from "./_record_parser.ts";
import type { RecordStreamOptions } from "./record_stream_options.ts";

/**
 * The key of the option that ties the two stages of a connection together, for a
 * violation that comes after the end of what can be read: the decrypting stage
 * aborts it, the encrypting one fails with its reason.
 */
export const otherDirection = Symbol("otherDirection");

/** The key of the option by which a decrypting stage is given its parser. */
export const recordParser = Symbol("recordParser");

/** The key of the option that says that buffers of the chunks made are given back. */
export const pooledOutput = Symbol("pooledOutput");

/** The key of the option that is told how to stop an encrypting stage, which settles when it has. */
export const onStart = Symbol("onStart");

/** {@linkcode RecordStreamOptions} of the stages of one connection. */
export interface TiedOptions extends RecordStreamOptions {
  readonly [otherDirection]?: AbortController;
  readonly [recordParser]?: RecordParser;
  readonly [pooledOutput]?: boolean;
  readonly [onStart]?: (stop: () => Promise<void>) => void;
}
