// @ts-types="./types.d.ts"
export { assertNotInstanceOf } from "npm:deno-std@1.4.0/assert/not_instance_of.js";
