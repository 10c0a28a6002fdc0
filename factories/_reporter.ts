import { publishError } from "./_monitoring.ts";
import type { ErrorInfo } from "./error_info.ts";

/** Announces a failure that costs no more than a connection, and tells `onError`. */
export function reporter(
  onError: ((error: unknown, info: ErrorInfo) => void) | undefined,
): (error: unknown, info: ErrorInfo) => void {
  return (error, details) => {
    // A failed channel announces itself.
    if (details.phase !== "connection") {
      publishError(error, details.phase, details.info);
    }
    try {
      onError?.(error, details);
    } catch (thrown) { // It must not end the server, nor get lost.
      console.error(thrown);
    }
  };
}
