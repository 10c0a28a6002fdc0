import { StreamTimeoutError } from "../errors.ts";

/**
 * Calls `expire` with an error when the time is up, unless the result is disposed
 * of before.
 *
 * @param timeout In milliseconds; 0 is no limit.
 * @param text What the error says.
 */
export function timeLimit(
  timeout: number,
  text: string,
  expire: (error: StreamTimeoutError) => void,
): Disposable {
  const timer = timeout === 0 ? undefined : setTimeout(
    () => expire(new StreamTimeoutError(text, { timeout })),
    timeout,
  );
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
