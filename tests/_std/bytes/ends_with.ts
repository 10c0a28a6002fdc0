// @ts-types="./types.d.ts"
export { endsWith } from "npm:deno-std@1.4.0/bytes/ends_with.js";
