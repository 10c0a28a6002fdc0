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
