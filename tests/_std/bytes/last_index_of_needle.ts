// @ts-types="./types.d.ts"
export { lastIndexOfNeedle } from "npm:deno-std@1.4.0/bytes/last_index_of_needle.js";
