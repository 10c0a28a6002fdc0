// @ts-types="./types.d.ts"
export { assertIsError } from "npm:deno-std@1.4.0/assert/is_error.js";
