import { typeName } from "../streams/_assert.ts";

/**
 * Refuses what is no message.
 *
 * @param action What was to be done with it: `encode`, `compress`.
 */
export function assertMessage(message: Uint8Array, action: string): void {
  if (!(message instanceof Uint8Array)) {
    throw new TypeError(
      `Cannot ${action} message as it must be a Uint8Array: current type is ${
        typeName(message)
      }`,
    );
  }
}

/**
 * Refuses what is no chunk of bytes.
 *
 * @param action What was to be done with it: `decode frames`, `encrypt`, ...
 */
export function assertChunk(chunk: Uint8Array, action: string): void {
  if (!(chunk instanceof Uint8Array)) {
    throw new TypeError(
      `Cannot ${action} as each chunk must be a Uint8Array: current type is ${
        typeName(chunk)
      }`,
    );
  }
}
