/** Numbers and bytes that look random and can be had again. */
export interface Random {
  /** An integer from `min` to `max`, both included. */
  integer(min: number, max: number): number;
  bytes(count: number): Uint8Array<ArrayBuffer>;
}

/** A generator whose seed a failing test should print (xorshift32). */
export function generator(
  seed: number = crypto.getRandomValues(new Uint32Array(1))[0] || 1,
): { random: Random; seed: number } {
  let state = seed;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const integer = (min: number, max: number) => min + next() % (max - min + 1);
  const bytes = (count: number) => {
    const words = new Uint32Array(Math.ceil(count / 4));
    for (let i = 0; i < words.length; i++) words[i] = next();
    return new Uint8Array(words.buffer, 0, count);
  };
  return { random: { integer, bytes }, seed };
}
