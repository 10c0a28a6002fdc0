// @ts-types="./types.d.ts"
export { assertNotEquals } from "npm:deno-std@1.4.0/assert/not_equals.js";
