/** Any class, abstract ones too, whose instances are `T`. */
type ClassOf<T> = abstract new (...args: never[]) => T;

/** Fails if two numbers differ by more than `tolerance`. */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void;
/** Fails if an item of `expected` is missing in `actual`. */
export function assertArrayIncludes<T>(
  actual: ArrayLike<T> & object,
  expected: ArrayLike<T> & object,
  msg?: string,
): void;
/** Fails if `expr` is falsy. */
export function assert(expr: unknown, msg?: string): asserts expr;
/** What a failed assertion throws. */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions);
}
/** Whether two values are equal by their contents. */
export function equal(a: unknown, b: unknown): boolean;
/** Fails if two values are not equal by their contents. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void;
/** Fails if a value is `null` or `undefined`. */
export function assertExists<T>(
  actual: T,
  msg?: string,
): asserts actual is NonNullable<T>;
/** Fails. */
export function fail(msg?: string): never;
/** What {@linkcode assertFalse} takes for false. */
export type Falsy = false | 0 | 0n | "" | null | undefined;
/** Fails if `expr` is truthy. */
export function assertFalse(expr: unknown, msg?: string): asserts expr is Falsy;
/** Fails unless `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void;
/** Fails if a value is no instance of a class. */
export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: ClassOf<T>,
  msg?: string,
): asserts actual is T;
/** Fails if a value is no error, or not that error. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: ClassOf<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E;
/** Fails unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void;
/** Fails if a text does not match. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void;
/** Fails if two values are equal by their contents. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
/** Fails if a value is an instance of a class. */
export function assertNotInstanceOf<A, T>(
  actual: A,
  unexpectedType: ClassOf<T>,
  msg?: string,
): asserts actual is Exclude<A, T>;
/** Fails if a text matches. */
export function assertNotMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void;
/** Fails if two values are the same by `Object.is`. */
export function assertNotStrictEquals<T>(
  actual: T,
  expected: T,
  msg?: string,
): void;
/** Fails if a property of `expected` is missing or different in `actual`. */
export function assertObjectMatch(
  actual: object,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void;
/** Fails if the promise does not reject; gives what it rejected with. */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ClassOf<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
/** Fails if two values are not the same by `Object.is`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T;
/** Fails if `expected` is not part of `actual`. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void;
/** Fails if the function does not throw; gives what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ClassOf<E>,
  msgIncludes?: string,
  msg?: string,
): E;
/** Fails, as the code is not written. */
export function unimplemented(msg?: string): never;
/** Fails, as the code cannot be reached. */
export function unreachable(msg?: string): never;
