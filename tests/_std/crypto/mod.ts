export * from "./timing_safe_equal.ts";
