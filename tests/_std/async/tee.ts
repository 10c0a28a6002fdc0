// @ts-types="./types.d.ts"
export { tee } from "npm:deno-std@1.4.0/async/tee.js";
