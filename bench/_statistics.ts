/** The middle value; the mean of the two middle ones of an even number. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Half the distance between the quartiles, relative to the median. */
export function spread(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const quarter = Math.floor((sorted.length - 1) / 4);
  const distance = sorted.at(-1 - quarter)! - sorted[quarter]!;
  return distance / 2 / median(sorted);
}

/** Three significant digits with a decimal prefix: `3.52 M`, `265 k`, `17.4`. */
export function short(value: number): string {
  for (
    const [unit, prefix] of [[1e9, " G"], [1e6, " M"], [1e3, " k"]] as const
  ) {
    if (value >= unit * 0.9995) return digits(value / unit) + prefix;
  }
  return digits(value);
}

/** Three significant digits: `0.953`, `27.1`, `384`. */
export function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** `64 B`, `1 KiB`, `1 MiB`. */
export function sizeName(bytes: number): string {
  if (bytes >= 2 ** 20) return `${bytes / 2 ** 20} MiB`;
  return bytes >= 1024 ? `${bytes / 1024} KiB` : `${bytes} B`;
}
