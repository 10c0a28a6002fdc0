// @ts-types="./types.d.ts"
export { startsWith } from "npm:deno-std@1.4.0/bytes/starts_with.js";
