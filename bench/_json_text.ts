/**
 * `size` bytes of JSON text: records as an API sends them, the same in each run.
 * zlib makes them about a quarter of their size, as it does with real ones.
 */
export function jsonText(size: number): Uint8Array<ArrayBuffer> {
  const random = mulberry32(20260701);
  const pick = (words: string[]) => words[Math.floor(random() * words.length)]!;
  let text = "[";
  for (let id = 1; text.length < size; id++) {
    const name = `${pick(FIRST)} ${pick(LAST)}`;
    text += JSON.stringify({
      id,
      name,
      email: `${name.toLowerCase().replace(" ", ".")}@${pick(HOSTS)}`,
      balance: Math.round(random() * 1e6) / 100,
      active: random() < 0.5,
      token: Math.floor(random() * 2 ** 48).toString(16),
      tags: [pick(TAGS), pick(TAGS)],
      updated: new Date(1.7e12 + random() * 1e11).toISOString(),
    }) + ",";
  }
  return new TextEncoder().encode(text).slice(0, size);
}

const FIRST = ["Ada", "Alan", "Barbara", "Edsger", "Grace", "Donald", "Radia"];
const LAST = ["Lovelace", "Turing", "Liskov", "Hopper", "Knuth", "Perlman"];
const HOSTS = ["example.com", "example.net", "example.org"];
const TAGS = ["admin", "beta", "eu-west", "us-east", "trial", "paid", "staff"];

/** A small seeded generator of numbers in [0, 1). */
function mulberry32(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
