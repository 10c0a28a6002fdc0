// @ts-types="./types.d.ts"
export { copy } from "npm:deno-std@1.4.0/bytes/copy.js";
