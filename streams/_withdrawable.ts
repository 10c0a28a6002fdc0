import { onAbort } from "./_on_abort.ts";

/**
 * The promise of a call that waits in a queue, which `signal` withdraws.
 *
 * @param withdraw Takes it out of the queue; it rejects with the signal's reason.
 */
export function withdrawable<T>(
  { promise, reject }: Pick<PromiseWithResolvers<T>, "promise" | "reject">,
  signal: AbortSignal,
  withdraw: () => void,
): Promise<T> {
  const watch = onAbort(signal, () => {
    withdraw();
    reject(signal.reason);
  });
  return promise.finally(() => watch[Symbol.dispose]());
}
