import type { SecureRole } from "./secure_options.ts";

/** Options of {@linkcode RecordEncryptionStream} and {@linkcode RecordDecryptionStream}. */
export interface RecordStreamOptions {
  /**
   * Whose direction it is, `"initiator"` by default: an initiator's records
   * begin with READY. Both ends of a direction must say the same.
   */
  sender?: SecureRole;
}
