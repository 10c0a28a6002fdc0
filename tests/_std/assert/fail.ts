// @ts-types="./types.d.ts"
export { fail } from "npm:deno-std@1.4.0/assert/fail.js";
