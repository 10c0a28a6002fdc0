/** Options of {@linkcode format}. */
export interface FormatOptions {
  /** `"00:00:00:00:00"`, `"1d 2h"` or words; `"narrow"` by default. */
  style?: "narrow" | "digital" | "full";
  /** Leave out the units that are zero. */
  ignoreZero?: boolean;
}
/** Milliseconds for people to read: `1m 40s`. */
export function format(ms: number, options?: FormatOptions): string;
