// @ts-types="./types.d.ts"
export { assertNotStrictEquals } from "npm:deno-std@1.4.0/assert/not_strict_equals.js";
