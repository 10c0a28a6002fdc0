export type { Falsy } from "./types.d.ts";
// @ts-types="./types.d.ts"
export { assertFalse } from "npm:deno-std@1.4.0/assert/false.js";
