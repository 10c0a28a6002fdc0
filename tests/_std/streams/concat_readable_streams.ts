// @ts-types="./types.d.ts"
export { concatReadableStreams } from "npm:deno-std@1.4.0/streams/concat_readable_streams.js";
