import { parseArgs } from "jsr:@std/cli@^1.0.32/parse-args";
import { bold } from "jsr:@std/fmt@^1.0.10/colors";
import { UsageError } from "./usage_error.ts";

/** An option of a command. */
export interface OptionSpec {
  /** Its name, without the two dashes. */
  readonly name: string;
  /** What its value is called in the help; a flag has none. */
  readonly value?: string;
  /** What it does. */
  readonly help: string;
  /** Whether it may come more than once. */
  readonly repeats?: boolean;
}

/** A command, with all that its help says. */
export interface Command {
  /** Its name. */
  readonly name: string;
  /** What follows it, for the help: `ADDRESS`. */
  readonly operands: readonly string[];
  /** What it does, in a line. */
  readonly summary: string;
  /** What else there is to know, and examples. */
  readonly details: string;
  /** Its options. */
  readonly options: readonly OptionSpec[];
  /** Does it, and gives the exit code. */
  readonly run: (context: Context) => Promise<number>;
}

/** What a running command works with. */
export interface Context {
  /** What was said on the command line. */
  readonly args: Arguments;
  /** Aborts when the command is to end: at SIGINT or SIGTERM, or when nobody reads its output. */
  readonly signal: AbortSignal;
  /** Writes to standard output, in order and whole. */
  readonly write: (data: Uint8Array) => Promise<void>;
  /** Tells the user something, on standard error. */
  readonly say: (text: string) => void;
}

/** The arguments of a command, checked against its options. */
export class Arguments {
  /** The operands, as many as the command has. */
  readonly operands: readonly string[];
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(command: Command, words: readonly string[]) {
    const { options } = command;
    const { _: operands, ...values } = parseArgs(words, {
      boolean: options.filter(({ value }) => !value).map(({ name }) => name),
      string: options.filter(({ value }) => value).map(({ name }) => name),
      collect: options.filter(({ repeats }) => repeats).map(({ name }) => name),
      unknown: (word, name) => {
        if (name === undefined) return true;
        throw new UsageError(`unknown option ${word.split("=")[0]}`);
      },
    });
    for (const { name, value } of options) {
      if (value && [values[name]].flat().includes("")) {
        throw new UsageError(`option --${name} needs a value: ${value}`);
      }
    }
    const wanted = command.operands;
    if (operands.length < wanted.length) {
      throw new UsageError(`missing ${wanted[operands.length]}`);
    }
    if (operands.length > wanted.length) {
      throw new UsageError(
        `unexpected argument ${JSON.stringify(`${operands[wanted.length]}`)}`,
      );
    }
    this.operands = operands.map(String);
    this.#values = values;
  }

  /** Whether a flag was given. */
  has(name: string): boolean {
    return this.#values[name] === true;
  }

  /** The value of an option, if it was given. */
  get(name: string): string | undefined {
    return this.all(name).at(-1);
  }

  /** All values of an option. */
  all(name: string): string[] {
    return [this.#values[name] ?? []].flat().map(String);
  }

  /** The value of an option that is an integer. */
  integer(name: string, min: number, max: number): number | undefined {
    const text = this.get(name);
    return text === undefined
      ? undefined
      : parseInteger(`option --${name}`, text, min, max);
  }
}

/** Reads an integer that a user wrote. */
export function parseInteger(
  what: string,
  text: string,
  min: number,
  max: number,
): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(
    `${what} must be an integer from ${min} to ${max}: current value is ${
      JSON.stringify(text)
    }`,
  );
}

/** The help of a command. */
export function helpOf(command: Command): string {
  const { name, operands, summary, details, options } = command;
  return [
    `${summary}\n`,
    `${bold("Usage:")} sluice ${
      [name, "[OPTION]...", ...operands].join(" ")
    }\n`,
    `${details}\n`,
    bold("Options:"),
    table([...options, HELP].map(({ name, value, help }) => [
      `--${name}${value ? ` ${value}` : ""}`,
      help,
    ])),
  ].join("\n");
}

const HELP: OptionSpec = { name: "help", help: "Print this help" };

/** Two columns; the second may have several lines. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, right]) =>
    `  ${left.padEnd(width)}${
      right.replaceAll("\n", `\n  ${"".padEnd(width)}`)
    }`
  ).join("\n");
}
