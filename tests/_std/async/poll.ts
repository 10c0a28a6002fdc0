export type { PollOptions } from "./types.d.ts";
// @ts-types="./types.d.ts"
export { poll } from "npm:deno-std@1.4.0/async/poll.js";
