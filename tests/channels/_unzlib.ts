import { inflateSync } from "node:zlib";

/** What a zlib stream holds. */
export function unzlibSync(data: Uint8Array): Uint8Array {
  return new Uint8Array(inflateSync(data));
}
