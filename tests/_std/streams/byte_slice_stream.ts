// @ts-types="./types.d.ts"
export { ByteSliceStream } from "npm:deno-std@1.4.0/streams/byte_slice_stream.js";
