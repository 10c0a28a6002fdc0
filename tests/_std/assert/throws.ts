// @ts-types="./types.d.ts"
export { assertThrows } from "npm:deno-std@1.4.0/assert/throws.js";
