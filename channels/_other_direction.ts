import type { RecordStreamOptions } from "./record_stream_options.ts";

/**
 * The key of the option that ties the two stages of a connection together, for a
 * violation that comes after the end of what can be read: the decrypting stage
 * aborts it, the encrypting one fails with its reason.
 */
export const otherDirection = Symbol("otherDirection");

/** {@linkcode RecordStreamOptions} of a stage that has a counterpart. */
export interface TiedOptions extends RecordStreamOptions {
  readonly [otherDirection]?: AbortController;
}
