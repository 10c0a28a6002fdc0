/** Calls `act` when `signal` aborts, until the result is disposed of. */
export function onAbort(
  signal: AbortSignal,
  act: () => void,
): Disposable {
  signal.addEventListener("abort", act, { once: true });
  return {
    [Symbol.dispose]: () => signal.removeEventListener("abort", act),
  };
}
