import {
  ConnectionLostError,
  StreamClosedError,
  StreamError,
} from "../errors.ts";

/**
 * The error that a failed operation of a transport is reported as: a
 * {@linkcode StreamError} stays what it is, anything else becomes the cause of
 * a {@linkcode ConnectionLostError}.
 *
 * @param action What could not be done: `read`, `write`, `connect to ...`.
 */
export function toStreamError(error: unknown, action: string): StreamError {
  if (error instanceof StreamError) return error;
  return new ConnectionLostError(`Cannot ${action}: ${describe(error)}`, {
    cause: error,
  });
}

/**
 * The error that a failed operation on a stream of somebody else is passed on as:
 * that they closed it is not that our local end was closed.
 */
export function asLost(error: unknown, action: string): unknown {
  if (!(error instanceof StreamClosedError)) return error;
  return new ConnectionLostError(`Cannot ${action}: ${error.message}`, {
    cause: error,
  });
}

/** What an abort for `reason` is reported as where a {@linkcode StreamError} is promised. */
export function toAbortError(reason: unknown, what: string): StreamError {
  if (reason instanceof StreamError) return reason;
  return new StreamClosedError(`${what} was aborted: ${describe(reason)}`, {
    cause: reason,
  });
}

/** An error in a line. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message === "" ? error.name : error.message;
}

/** Whether an error is that of a `deadline` that has passed. */
export function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}
