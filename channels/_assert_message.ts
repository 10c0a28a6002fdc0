/**
 * Refuses what is no message.
 *
 * @param action What was to be done with it: `encode`, `compress`.
 */
export function assertMessage(message: Uint8Array, action: string): void {
  if (!(message instanceof Uint8Array)) {
    throw new TypeError(
      `Cannot ${action} message as it must be a Uint8Array: current type is ${typeof message}`,
    );
  }
}

/** Refuses what is no chunk of the wire. */
export function assertChunk(chunk: Uint8Array): void {
  if (!(chunk instanceof Uint8Array)) {
    throw new TypeError(
      `Cannot decode frames as each chunk must be a Uint8Array: current type is ${typeof chunk}`,
    );
  }
}
