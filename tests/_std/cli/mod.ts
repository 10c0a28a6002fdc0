export * from "./parse_args.ts";
export * from "./unicode_width.ts";
