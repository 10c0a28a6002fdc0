// @ts-types="./types.d.ts"
export { earlyZipReadableStreams } from "npm:deno-std@1.4.0/streams/early_zip_readable_streams.js";
