/**
 * `bytes` as the platform takes them, most of which refuses shared memory: copied if
 * they are in it. What was received changes no more.
 */
export function inArrayBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return isInArrayBuffer(bytes) ? bytes : new Uint8Array(bytes);
}

function isInArrayBuffer(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer;
}
