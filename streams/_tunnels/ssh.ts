import { ConnectionLostError } from "../../errors.ts";
import { assertInteger } from "../_assert.ts";
import { ChildProcess } from "../_child_process.ts";
import { onAbort } from "../_on_abort.ts";
import { refuseOptions } from "../_refuse_options.ts";
import { authorityOf, type Target } from "./target.ts";

/** A machine to reach the target from, through the `ssh` command. */
export interface SshTunnel {
  /** The machine, as `ssh` knows it: a host name, an address, or a `Host` of its configuration. */
  host: string;
  /** Port of its SSH server; what the configuration says, or 22, by default. */
  port?: number;
  /** The user there; what the configuration says, or ours, by default. */
  user?: string;
  /** File of the private key. No other key of an agent is then offered. */
  identityFile?: string;
  /** Configuration file in place of the user's and the system's; `"none"` for none. */
  configFile?: string;
  /** Any option of `ssh_config`: `{ ServerAliveInterval: "15" }`. */
  options?: Readonly<Record<string, string>>;
  /** The program, `"ssh"` by default: OpenSSH 8.5 or later. */
  program?: string;
}

/**
 * The functions of OpenSSH that report an open tunnel in its log: of a process
 * of its own, and of one that shares the connection of another (ControlPath).
 * Nothing else tells: what is written before is buffered, and a target that
 * waits for us to speak first sends nothing.
 */
const OPENED = [
  { name: "channel_input_open_confirmation", text: "open confirm" },
  { name: "mux_client_request_stdio_fwd", text: "master session id" },
];

/** Refuses what is no option, and what would be taken for something else on the command line. */
export function assertSshTunnel(
  {
    host,
    port,
    user,
    identityFile: _identityFile,
    configFile: _configFile,
    options = {},
    program: _program,
    ...rest
  }: SshTunnel,
): void {
  refuseOptions("connect through ssh", rest);
  if (!/^[^-\s\p{Cc}][^\s\p{Cc}]*$/u.test(host)) {
    throw new TypeError(
      `Cannot use ssh as host must be a name: current value is ${
        JSON.stringify(host)
      }`,
    );
  }
  if (port !== undefined) assertInteger("port", port, 1, 65_535);
  if (user !== undefined && !/^[^-\s\p{Cc}][^\s\p{Cc}]*$/u.test(user)) {
    throw new TypeError(
      `Cannot use ssh as user must be a name: current value is ${
        JSON.stringify(user)
      }`,
    );
  }
  for (const [name, value] of Object.entries(options)) {
    if (/^[a-z0-9]+$/i.test(name) && !/[\r\n\0]/.test(value)) continue;
    throw new TypeError(
      `Cannot use ssh as an option must be a name and one line of text: current name is ${
        JSON.stringify(name)
      }`,
    );
  }
}

/** Has `ssh -W` connect to the target; its standard input and output are then the tunnel. */
export async function openSshTunnel(
  target: Target,
  tunnel: SshTunnel,
  action: string,
  signal: AbortSignal,
): Promise<ChildProcess> {
  const child = new ChildProcess(commandFor(target, tunnel), {
    stderr: "piped",
  });
  let killed: Promise<void> | undefined;
  const kill = () => {
    killed ??= child.abort();
  };
  using _ = onAbort(signal, kill);
  try {
    if (await child.says(OPENED.map(({ text }) => text))) return child;
    throw new ConnectionLostError(
      `Cannot ${action}: ${await reasonOf(child)}`,
    );
  } catch (error) {
    kill();
    await killed;
    throw error;
  }
}

/** Of options that come twice, ssh takes the first. */
function commandFor(
  target: Target,
  { host, port, user, identityFile, configFile, options = {}, program = "ssh" }:
    SshTunnel,
): string[] {
  const set = (name: string, value: string) => ["-o", `${name}=${value}`];
  return [
    program,
    ...(configFile === undefined ? [] : ["-F", configFile]),
    // Nobody is there to answer a question.
    ...set("BatchMode", "yes"),
    ...set("LogVerbose", OPENED.map(({ name }) => `*:${name}():*`).join(",")),
    ...Object.entries(options).flatMap(([name, value]) => set(name, value)),
    // It may use a shared connection, but not become the one that others share:
    // closing the tunnel would end theirs, or leave it behind.
    ...set("ControlMaster", "no"),
    ...(identityFile === undefined
      ? []
      : ["-i", identityFile, ...set("IdentitiesOnly", "yes")]),
    ...(port === undefined ? [] : ["-p", `${port}`]),
    ...(user === undefined ? [] : ["-l", user]),
    ...["-W", authorityOf(target)],
    ...["--", host],
  ];
}

/** What ssh says of its failure in its last line, or the line before if that only says that it failed. */
async function reasonOf(child: ChildProcess): Promise<string> {
  const lines = (child.stderr ?? "").split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !/^debug\d: /.test(line));
  return lines.findLast((line) => !/^stdio forwarding/i.test(line)) ??
    `ssh exited with code ${(await child.status).code}`;
}
