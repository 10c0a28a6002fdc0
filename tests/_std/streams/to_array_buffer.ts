// @ts-types="./types.d.ts"
export { toArrayBuffer } from "npm:deno-std@1.4.0/streams/to_array_buffer.js";
