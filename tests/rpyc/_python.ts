/**
 * Python peers as child processes that never outlive their test.
 *
 * @module
 */

import { fromFileUrl } from "@std/path/from-file-url";
import { TextLineStream } from "@std/streams/text-line-stream";
import { python } from "../_peers.ts";

/** A peer that takes longer than this has hung: it is killed, and so its test fails, in milliseconds. */
const LIFETIME = 60_000;

/** A program in `python/`. */
export type Script = "channel_peer.py" | "service_peer.py";

/** A running peer; disposal kills it if it still runs, and waits for its end. */
export interface PythonPeer extends AsyncDisposable {
  /** Where it listens: a port, or 0 for a peer that does not, or has a path. */
  readonly port: number;
  /** Settles when it has ended, in whatever way. */
  readonly ended: Promise<unknown>;
  /** Waits until the peer has ended by itself; fails unless it ended well. */
  finish(): Promise<void>;
}

let version: Promise<5 | 6> | undefined;

/** How the installed RPyC writes its messages: 5 stands for RPyC 3 to 5. */
export function rpycVersion(): Promise<5 | 6> {
  return version ??= (async () => {
    const { stdout } = await new Deno.Command(python(), {
      args: ["-c", "import rpyc; print(rpyc.__version__)"],
    }).output();
    return parseInt(new TextDecoder().decode(stdout)) < 6 ? 5 : 6;
  })();
}

/** The command that runs a script. */
export function pythonCommand(
  script: Script,
  args: string[],
): [string, ...string[]] {
  const path = fromFileUrl(new URL(`python/${script}`, import.meta.url));
  // -B: no compiled files beside the scripts.
  return [python(), "-B", path, ...args];
}

/** Starts a peer; one that listens does so once this resolves. */
export async function startPython(
  script: Script,
  args: string[],
): Promise<PythonPeer> {
  const [command, ...rest] = pythonCommand(script, args);
  const child = new Deno.Command(command, {
    args: rest,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  const lines = child.stdout
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream())
    .getReader();
  const timer = setTimeout(() => child.kill("SIGKILL"), LIFETIME);
  const end = async (): Promise<Deno.CommandStatus> => {
    const status = await child.status;
    clearTimeout(timer);
    await errors;
    while (!(await lines.read()).done);
    return status;
  };
  const kill = async (): Promise<void> => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await end();
  };
  let port = 0;
  if (args.includes("--listen")) {
    const { value } = await lines.read();
    const address = value?.match(/^listening (\S+) rpyc /)?.[1];
    if (address === undefined) {
      await kill();
      throw new Error(`Cannot start ${script}: ${await errors}`);
    }
    port = Number(address) || 0;
  }
  return {
    port,
    ended: child.status,
    finish: async () => {
      const { code, signal } = await end();
      if (code !== 0) {
        const how = signal ?? `code ${code}`;
        throw new Error(`${script} ended with ${how}: ${await errors}`);
      }
    },
    [Symbol.asyncDispose]: kill,
  };
}
