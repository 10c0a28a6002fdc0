// @ts-types="./types.d.ts"
export { assertArrayIncludes } from "npm:deno-std@1.4.0/assert/array_includes.js";
