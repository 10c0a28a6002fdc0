/** The global `crypto`, with `digest` extended: more names, and data that comes as a stream. */
export const crypto: Omit<Crypto, "subtle"> & {
  readonly subtle: Omit<SubtleCrypto, "digest"> & {
    digest(
      algorithm:
        | "BLAKE2B"
        | "BLAKE3"
        | "MD5"
        | "SHA-1"
        | "SHA-256"
        | "SHA-384"
        | "SHA-512",
      data: BufferSource | AsyncIterable<BufferSource> | Iterable<BufferSource>,
    ): Promise<ArrayBuffer>;
  };
};
/** Whether two byte arrays are equal, in a time that depends on their length alone. */
export function timingSafeEqual(
  a: ArrayBufferView | ArrayBufferLike,
  b: ArrayBufferView | ArrayBufferLike,
): boolean;
