import { KEY_LENGTH } from "./_noise/aes_gcm.ts";
import type { SecureRole } from "./secure_options.ts";

/** Options of {@linkcode RecordEncryptionStream} and {@linkcode RecordDecryptionStream}. */
export interface RecordStreamOptions {
  /**
   * Whose direction it is, `"initiator"` by default: an initiator's records
   * begin with READY. Both ends of a direction must say the same.
   */
  sender?: SecureRole;
  /**
   * After how many records the key changes, 2^20 by default. The protocol knows
   * no other number: this is for tests, and both ends must use the same.
   */
  rekeyInterval?: number;
}

/**
 * Checks a traffic key.
 *
 * @throws {TypeError} if it is no `Uint8Array`.
 * @throws {RangeError} if it is not 32 bytes long.
 */
export function assertTrafficKey(key: Uint8Array): void {
  if (!(key instanceof Uint8Array)) {
    throw new TypeError("Cannot use traffic key as it must be a Uint8Array");
  }
  if (key.byteLength !== KEY_LENGTH) {
    throw new RangeError(
      `Cannot use traffic key as its length must be ${KEY_LENGTH}: current length is ${key.byteLength}`,
    );
  }
}
