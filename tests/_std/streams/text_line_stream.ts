export type { TextLineStreamOptions } from "./types.d.ts";
// @ts-types="./types.d.ts"
export { TextLineStream } from "npm:deno-std@1.4.0/streams/text_line_stream.js";
