/** The longest delay of `setTimeout`, about 24.8 days; a longer one would fire at once. */
export const MAX_TIME = 2 ** 31 - 1;

/** Refuses what is no integer from `min` to `max`. */
export function assertInteger(
  name: string,
  value: number,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new RangeError(
    `Cannot use ${name} as it must be an integer from ${min} to ${max}: current value is ${value}`,
  );
}

/** Refuses what is no time in milliseconds. */
export function assertTime(name: string, value: number, min = 0): void {
  if (value >= min && value <= MAX_TIME) return;
  throw new RangeError(
    `Cannot use ${name} as it must be from ${min} to ${MAX_TIME} ms: current value is ${value}`,
  );
}

/** What `value` is, for a message: the name of its class, or its type. */
export function typeName(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object"
    ? value.constructor?.name ?? "object"
    : typeof value;
}
