import { builtin } from "./_builtin.ts";
import { ConnTransport } from "./_conn_transport.ts";
import { Interruptible } from "./_interruptible.ts";
import type { ByteTransport } from "./byte_transport.ts";

/** What of `console` writes to standard output, or shares state with what does. */
const TO_STDOUT = [
  "log",
  "info",
  "debug",
  "dir",
  "dirxml",
  "table",
  "group",
  "groupCollapsed",
  "groupEnd",
  "count",
  "countReset",
  "time",
  "timeLog",
  "timeEnd",
] as const;

let taken = false;

/**
 * A transport over our own standard input and output. While it is open,
 * `console` writes to standard error.
 */
export function stdioTransport(): ByteTransport {
  if (taken) {
    throw new TypeError(
      "Cannot use standard input and output as another stream has taken them",
    );
  }
  taken = true;
  const restoreConsole = redirectConsole();
  const writing = new Interruptible();
  return new ConnTransport({
    read: (buffer) => Deno.stdin.read(buffer),
    // A write that waits for the reader ignores a close.
    write: (data) => writing.run(Deno.stdout.write(data)),
    // The platform keeps the descriptor open until the process ends.
    closeWrite: () => Promise.resolve(),
    close: () => {
      restoreConsole();
      writing.interrupt(new Deno.errors.Interrupted("stream was closed"));
      Deno.stdin.close(); // Ends a read that waits.
    },
  });
}

/** @returns What undoes it. */
function redirectConsole(): () => void {
  const { Console } = builtin("node:console");
  const process = builtin("node:process");
  const own = new Console({ stdout: process.stderr, stderr: process.stderr });
  const before = TO_STDOUT.map((name) => [name, console[name]] as const);
  Object.assign(
    console,
    Object.fromEntries(TO_STDOUT.map((name) => [name, own[name]])),
  );
  return () => Object.assign(console, Object.fromEntries(before));
}
