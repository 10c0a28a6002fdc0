// @ts-types="./types.d.ts"
export { assertNotMatch } from "npm:deno-std@1.4.0/assert/not_match.js";
