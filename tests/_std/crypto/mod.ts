export * from "./crypto.ts";
export * from "./timing_safe_equal.ts";
