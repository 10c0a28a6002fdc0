// @ts-types="./types.d.ts"
export { unreachable } from "npm:deno-std@1.4.0/assert/unreachable.js";
