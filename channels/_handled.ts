/*
 * A call that nobody awaits must not end the process when it fails, as an
 * unhandled rejection would. These mark a promise as handled; who does await it
 * still sees the rejection.
 */

/** What every call returns that need not wait: one promise for all of them. */
export const DONE: Promise<void> = Promise.resolve();

/** `promise` itself, marked. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(ignore);
  return promise;
}

/** A rejected promise, marked. */
export function rejected(reason: unknown): Promise<never> {
  return handled(Promise.reject(reason));
}

/** Rejects a pending promise and marks it only now, so that success costs nothing. */
export function rejectHandled<T>(
  { promise, reject }: PromiseWithResolvers<T>,
  reason: unknown,
): void {
  promise.catch(ignore);
  reject(reason);
}

function ignore(): void {}
