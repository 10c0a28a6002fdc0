import type { Console } from "node:console";
import type * as diagnostics from "node:diagnostics_channel";
import type * as net from "node:net";
import type process from "node:process";
import type * as util from "node:util";
import type * as zlib from "node:zlib";

/** The built-in modules that are loaded late. */
interface Builtins {
  "node:console": { Console: typeof Console };
  "node:diagnostics_channel": typeof diagnostics;
  "node:net": typeof net;
  "node:process": typeof process;
  "node:util": typeof util;
  "node:zlib": typeof zlib;
}

const loaded: Partial<Builtins> = {};

/**
 * A built-in module, loaded at its first use. To load them takes as
 * long as to load all of this library, as most of them bring Node's streams with
 * them: most programs need none.
 */
export function builtin<Name extends keyof Builtins>(
  name: Name,
): Builtins[Name] {
  const { process } = globalThis as unknown as {
    process: { getBuiltinModule(name: Name): Builtins[Name] };
  };
  return loaded[name] ??= process.getBuiltinModule(name);
}
