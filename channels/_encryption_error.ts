import { EncryptionError } from "../errors.ts";

/**
 * The one error of the secure stream. Its text never varies and it carries no
 * cause, so that nobody learns which check failed.
 */
export function notAuthentic(): EncryptionError {
  return new EncryptionError(
    "Cannot go on with secure stream as the bytes received are not authentic",
  );
}
