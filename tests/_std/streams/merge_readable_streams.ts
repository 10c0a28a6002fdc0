// @ts-types="./types.d.ts"
export { mergeReadableStreams } from "npm:deno-std@1.4.0/streams/merge_readable_streams.js";
