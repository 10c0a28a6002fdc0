// @ts-types="./types.d.ts"
export { crypto } from "npm:deno-std@1.4.0/crypto/crypto.js";
