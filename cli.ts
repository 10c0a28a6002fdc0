/**
 * Sluice on the command line, for scripts: listen, connect, forward, measure.
 *
 * ```sh
 * deno run -A jsr:@sluice/sluice/cli listen --echo 127.0.0.1:7000
 * ```
 *
 * listens until Ctrl-C. In another terminal:
 *
 * ```sh
 * echo ping | deno run -A jsr:@sluice/sluice/cli connect 127.0.0.1:7000
 * deno run -A jsr:@sluice/sluice/cli bench 127.0.0.1:7000
 * ```
 *
 * `deno install -g -A -n sluice jsr:@sluice/sluice/cli` makes it a command of its
 * own. `--help` tells the rest, of each command too. The exit code is 0 for success,
 * 1 for a failure, 2 for a wrong command line, and 130 for a SIGINT or SIGTERM that
 * came before the end; `listen` and `forward` end by one with 0.
 *
 * @module
 */

import { setColorEnabled } from "jsr:@std/fmt@^1.0.10/colors";
import { benchCommand } from "./cli/bench.ts";
import { Arguments, type Command, helpOf, table } from "./cli/command.ts";
import { connectCommand } from "./cli/connect.ts";
import { forwardCommand } from "./cli/forward.ts";
import { listenCommand } from "./cli/listen.ts";
import { describe } from "./cli/running.ts";
import { UsageError } from "./cli/usage_error.ts";

const COMMANDS: readonly Command[] = [
  listenCommand,
  connectCommand,
  forwardCommand,
  benchCommand,
];

const HELP = `Whole messages between processes, over any byte stream.

Usage: sluice COMMAND [OPTION]... ARGUMENT...

Commands:
${table(COMMANDS.map(({ name, summary }) => [name, summary]))}

sluice COMMAND --help tells the rest.`;

const encoder = new TextEncoder();

/**
 * Runs a command as the shell would.
 *
 * @param words The command line: the command, its options and arguments.
 * @returns The exit code.
 */
export async function main(words: readonly string[]): Promise<number> {
  const [name, ...rest] = words;
  const command = COMMANDS.find((command) => command.name === name);
  const label = command ? `sluice ${name}` : "sluice";
  const say = (text: string) => {
    try {
      Deno.stderr.writeSync(encoder.encode(`${label}: ${text}\n`));
    } catch {
      // Nobody reads it any more, and so there is nobody to tell that either.
    }
  };
  if (!Deno.stdout.isTerminal()) setColorEnabled(false);
  const help = words.includes("--help") || words.includes("-h");
  try {
    if (command && !help) {
      return await run(command, new Arguments(command, rest), say);
    }
    if (!command && !help) {
      throw new UsageError(
        name === undefined
          ? "missing COMMAND"
          : `unknown command ${JSON.stringify(name)}`,
      );
    }
    await writeAll(`${command ? helpOf(command) : HELP}\n`);
    return 0;
  } catch (error) {
    if (isMisuse(error)) {
      say(`${describe(error)}\nTry ${label} --help`);
      return 2;
    }
    say(describe(error));
    return 1;
  }
}

/** Runs a command until it ends, or is to end. */
async function run(
  command: Command,
  args: Arguments,
  say: (text: string) => void,
): Promise<number> {
  const ending = new AbortController();
  const interrupt = () => ending.abort(new Error("interrupted"));
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT"]
    : ["SIGINT", "SIGTERM"];
  for (const signal of signals) Deno.addSignalListener(signal, interrupt);
  let unread = false;
  let lastWrite: Promise<void> = Promise.resolve();
  const write = (data: Uint8Array): Promise<void> => {
    lastWrite = lastWrite.then(() => writeAll(data)).catch((error) => {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
      unread = true; // As of head(1): nobody wants the rest.
      ending.abort(error);
    });
    return lastWrite;
  };
  try {
    return await command.run({ args, signal: ending.signal, write, say });
  } catch (error) {
    if (unread) return 0;
    if (ending.signal.aborted) return 130;
    throw error;
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, interrupt);
  }
}

async function writeAll(data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? encoder.encode(data) : data;
  for (let written = 0; written < bytes.byteLength;) {
    written += await Deno.stdout.write(bytes.subarray(written));
  }
}

/** Whether the user can mend it on the command line: the library refuses wrong options so. */
function isMisuse(error: unknown): boolean {
  return error instanceof UsageError || error instanceof TypeError ||
    error instanceof RangeError;
}

// Standard input may still be waited for, which keeps the process alive.
if (import.meta.main) Deno.exit(await main(Deno.args));
