// @ts-types="./types.d.ts"
export { toTransformStream } from "npm:deno-std@1.4.0/streams/to_transform_stream.js";
