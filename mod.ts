/**
 * Whole messages between processes, over any byte stream.
 *
 * @module
 */

export * from "./channels/mod.ts";
export * from "./errors.ts";
export * from "./factories/mod.ts";
export * from "./streams/mod.ts";
