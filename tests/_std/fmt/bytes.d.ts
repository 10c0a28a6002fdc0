/** Options of {@linkcode format}. */
export interface FormatOptions {
  /** Bits in place of bytes. */
  bits?: boolean;
  /** Powers of 1024 (KiB) in place of 1000 (kB). */
  binary?: boolean;
  /** Put a sign before positive numbers too. */
  signed?: boolean;
  /** The locale of the number. */
  locale?: boolean | string | string[];
  /** Least digits after the point. */
  minimumFractionDigits?: number;
  /** Most digits after the point. */
  maximumFractionDigits?: number;
}
/** A number of bytes for people to read: `1.34 kB`. */
export function format(num: number, options?: FormatOptions): string;
