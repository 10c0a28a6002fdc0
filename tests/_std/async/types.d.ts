/** The promise, or the signal's reason if that comes first. */
export function abortable<T>(p: Promise<T>, signal: AbortSignal): Promise<T>;
export function abortable<T>(
  p: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T>;
/** Options of {@linkcode deadline}. */
export interface DeadlineOptions {
  /** Rejects with its reason when it aborts first. */
  signal?: AbortSignal;
}
/** The promise, or a `TimeoutError` (a `DOMException`) after `ms` milliseconds. */
export function deadline<T>(
  p: Promise<T>,
  ms: number,
  options?: DeadlineOptions,
): Promise<T>;
/** Options of {@linkcode delay}. */
export interface DelayOptions {
  /** Rejects with its reason when it aborts first. */
  signal?: AbortSignal;
  /** Whether the timer keeps the process alive; true by default. */
  persistent?: boolean;
}
/** Resolves after `ms` milliseconds. */
export function delay(ms: number, options?: DelayOptions): Promise<void>;
/** Values of several iterables, as they come. */
export class MuxAsyncIterator<T> implements AsyncIterable<T> {
  add(iterable: AsyncIterable<T>): void;
  iterate(): AsyncIterableIterator<T>;
  [Symbol.asyncIterator](): AsyncIterator<T>;
}
/** Options of {@linkcode poll}. */
export interface PollOptions {
  /** Rejects with its reason when it aborts first. */
  signal?: AbortSignal;
  /** Milliseconds between two calls; 1000 by default. */
  interval?: number;
}
/** Calls `fn` again and again until `isDone` accepts what it gives. */
export function poll<T>(
  fn: () => T,
  isDone: (result: Awaited<T>) => boolean,
  options?: PollOptions,
): Promise<Awaited<T>>;
/** Maps with at most `poolLimit` calls under way; results come in order. */
export function pooledMap<T, R>(
  poolLimit: number,
  array: Iterable<T> | AsyncIterable<T>,
  iteratorFn: (data: T) => Promise<R>,
): AsyncIterableIterator<R>;
/** The last attempt failed too; `cause` is its error. */
export class RetryError extends Error {
  constructor(cause: unknown, attempts: number);
}
/** Options of {@linkcode retry}; times are in milliseconds. */
export interface RetryOptions {
  /** How much longer each wait is than the one before; 2 by default. */
  multiplier?: number;
  /** The longest wait; 60,000 by default. */
  maxTimeout?: number;
  /** How many calls at most; 5 by default. */
  maxAttempts?: number;
  /** The first wait; 1,000 by default. */
  minTimeout?: number;
  /** The part of a wait that is random, 0 to 1; 1 by default. */
  jitter?: number;
  /** Whether an error is worth another attempt; always by default. */
  isRetriable?: (err: unknown) => boolean;
  /** Rejects with its reason when it aborts first. */
  signal?: AbortSignal;
}
/** Calls `fn` until it does not fail, with longer and longer waits. */
export function retry<T>(
  fn: (() => Promise<T>) | (() => T),
  options?: RetryOptions,
): Promise<T>;
/** Several iterables with the values of one. */
export function tee<T>(
  iterable: AsyncIterable<T>,
): [AsyncIterable<T>, AsyncIterable<T>];
