/** Options of {@linkcode parseArgs}; `B` and `S` are the names of flags, `C` those that may come again. */
export interface ParseOptions<
  B extends string,
  S extends string,
  C extends string,
  N extends string,
  D extends object,
> {
  /** Flags without a value. */
  boolean?: readonly B[];
  /** Options with a text value. */
  string?: readonly S[];
  /** Options that give an array of all their values. */
  collect?: readonly C[];
  /** Flags that `--no-` switches off. */
  negatable?: readonly N[];
  /** Values of what is missing. */
  default?: D;
  /** Other names: `{ help: "h" }`. */
  alias?: Record<string, string | readonly string[]>;
  /** Stop at the first positional argument. */
  stopEarly?: boolean;
  /** Called with each unknown argument; `false` leaves it out. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
  /** Put what follows `--` in the member `--`. */
  "--"?: boolean;
}

/** What {@linkcode parseArgs} gives; options beyond the declared ones are `unknown`. */
export type Args<
  B extends string,
  S extends string,
  C extends string,
  D extends object,
> =
  & { [K in B]: K extends C ? boolean[] : boolean }
  & {
    [K in S]: K extends C ? string[]
      : K extends keyof D ? string | D[K]
      : string | undefined;
  }
  & { [name: string]: unknown; _: (string | number)[] };

/** Reads command line arguments into an object. */
export function parseArgs<
  const B extends string = never,
  const S extends string = never,
  const C extends string = never,
  const N extends string = never,
  D extends object = Record<never, never>,
>(
  args: readonly string[],
  options?: ParseOptions<B, S, C, N, D>,
): Args<B, S, C, D>;
