/** How many columns of a terminal a text takes. */
export function unicodeWidth(str: string): number;
