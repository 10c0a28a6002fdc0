/** Joins arrays of bytes into a new one. */
export function concat(buffers: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
/** Copies as much of `src` as fits into `dst`, and tells how many bytes that is. */
export function copy(src: Uint8Array, dst: Uint8Array, offset?: number): number;
/** Whether `source` ends with `suffix`. */
export function endsWith(source: Uint8Array, suffix: Uint8Array): boolean;
/** Whether two arrays hold the same bytes; its time depends on them. */
export function equals(a: Uint8Array, b: Uint8Array): boolean;
/** Whether `needle` occurs in `source` at or after `start`. */
export function includesNeedle(
  source: Uint8Array,
  needle: Uint8Array,
  start?: number,
): boolean;
/** Where `needle` first occurs in `source` at or after `start`, or -1. */
export function indexOfNeedle(
  source: Uint8Array,
  needle: Uint8Array,
  start?: number,
): number;
/** Where `needle` last occurs in `source` at or before `start`, or -1. */
export function lastIndexOfNeedle(
  source: Uint8Array,
  needle: Uint8Array,
  start?: number,
): number;
/** `source`, `count` times over, in a new array. */
export function repeat(
  source: Uint8Array,
  count: number,
): Uint8Array<ArrayBuffer>;
/** Whether `source` starts with `prefix`. */
export function startsWith(source: Uint8Array, prefix: Uint8Array): boolean;
