/**
 * Lets go of an operation that the platform cannot cancel: a write to somebody
 * else's stream, which ends when it likes to, even after an abort.
 *
 * One of these serves many operations, one after the other. A `Promise.race`
 * with a promise as long-lived as the stream would grow with each of them.
 */
export class Interruptible {
  #interrupted: { readonly reason: unknown } | undefined;
  #reject: ((reason: unknown) => void) | undefined;

  /** The result of `operation`, unless it is interrupted first. */
  run<T>(operation: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    operation.then(resolve, reject);
    if (this.#interrupted) reject(this.#interrupted.reason);
    this.#reject = reject;
    return promise;
  }

  /** Rejects the operation under way, if any, and those to come. */
  interrupt(reason: unknown): void {
    this.#interrupted ??= { reason };
    this.#reject?.(reason);
  }
}
