export type { LimitedBytesTransformStreamOptions } from "./types.d.ts";
// @ts-types="./types.d.ts"
export { LimitedBytesTransformStream } from "npm:deno-std@1.4.0/streams/limited_bytes_transform_stream.js";
