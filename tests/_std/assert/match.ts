// @ts-types="./types.d.ts"
export { assertMatch } from "npm:deno-std@1.4.0/assert/match.js";
