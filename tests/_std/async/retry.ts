export type { RetryOptions } from "./types.d.ts";
// @ts-types="./types.d.ts"
export { retry, RetryError } from "npm:deno-std@1.4.0/async/retry.js";
