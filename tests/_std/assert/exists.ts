// @ts-types="./types.d.ts"
export { assertExists } from "npm:deno-std@1.4.0/assert/exists.js";
