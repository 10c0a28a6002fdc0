// @ts-types="./types.d.ts"
export { zipReadableStreams } from "npm:deno-std@1.4.0/streams/zip_readable_streams.js";
