export { describe } from "../streams/_stream_error.ts";

/** What ends a line. */
export const NEW_LINE: Uint8Array = new TextEncoder().encode("\n");

/** Resolves once `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
