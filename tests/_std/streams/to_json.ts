// @ts-types="./types.d.ts"
export { toJson } from "npm:deno-std@1.4.0/streams/to_json.js";
