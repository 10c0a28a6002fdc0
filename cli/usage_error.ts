/** The command line is wrong: the message is printed, with where to find help, and the exit code is 2. */
export class UsageError extends Error {
  /** The class name. */
  override name = "UsageError";
}
