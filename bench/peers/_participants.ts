/**
 * Who takes part: how the two processes of each are started, and how a missing
 * one is noticed.
 *
 * @module
 */
const HERE = import.meta.dirname!;
const NODE = `${HERE}/node`;
const NPM_FLAGS = ["--no-audit", "--no-fund", "--no-package-lock"];

/** A participant and how to start either of its processes. */
export interface Entry {
  /** The name on the command line and in the results. */
  readonly name: string;
  /** The name in the table and the chart. */
  readonly title: string;
  /** The command; `sink|source <folder> [port]` is appended. */
  readonly command: readonly string[];
  /** Which of its processes listens; the sink unless the other way is faster for it. */
  readonly listens?: "sink" | "source";
  /** The version of what is measured, `undefined` if it is not installed. */
  version(): Promise<string | undefined>;
}

/** All participants, in the order of the table. */
export const ENTRIES: readonly Entry[] = [
  {
    name: "conn",
    title: "bare Deno.Conn",
    command: deno("deno_conn.ts"),
    version: denoVersion,
  },
  {
    name: "conn-messages",
    title: "Deno.Conn, buffer per message",
    command: deno("deno_conn_messages.ts"),
    version: denoVersion,
  },
  {
    name: "tls",
    title: "Deno TLS",
    command: deno("deno_tls.ts"),
    version: denoVersion,
  },
  sluice("plain", "Sluice"),
  sluice("compressed", "Sluice, compressed"),
  sluice("encrypted", "Sluice, encrypted"),
  sluice("batched", "Sluice, batched"),
  sluice("all", "Sluice, all three"),
  {
    name: "rpyc",
    title: "RPyC Channel",
    command: ["/usr/bin/python3", `${HERE}/rpyc_channel.py`],
    version: () =>
      output("/usr/bin/python3", "-c", "import rpyc; print(rpyc.__version__)"),
  },
  {
    name: "ws",
    title: "npm:ws",
    command: ["node", `${NODE}/ws.mjs`],
    listens: "source",
    version: () => npmVersion("ws"),
  },
  {
    name: "ws-corked",
    title: "npm:ws, corked by hand",
    command: ["node", `${NODE}/ws_corked.mjs`],
    listens: "source",
    version: () => npmVersion("ws"),
  },
  {
    name: "zeromq",
    title: "npm:zeromq",
    command: ["node", `${NODE}/zeromq.mjs`],
    version: () => npmVersion("zeromq"),
  },
];

/** Installs the npm packages that `node/package.json` pins, beside it, if there is npm. */
export async function installNodePeers(): Promise<void> {
  await output("npm", "install", ...NPM_FLAGS, "--prefix", NODE);
}

/** What a command prints, `undefined` if it cannot be run or fails. */
export async function output(
  command: string,
  ...args: string[]
): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command, {
      args,
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function deno(script: string, ...flags: string[]): string[] {
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "--allow-all",
    ...flags,
    `${HERE}/${script}`,
  ];
}

function sluice(name: string, title: string): Entry {
  return {
    name,
    title,
    command: deno(`sluice_${name}.ts`),
    version: denoVersion,
  };
}

function denoVersion(): Promise<string> {
  return Promise.resolve(Deno.version.deno);
}

/** The version that is installed beside the Node participants and runs. */
function npmVersion(name: string): Promise<string | undefined> {
  return output(
    "node",
    "--input-type=commonjs",
    "-e",
    `process.chdir(${JSON.stringify(NODE)});
     require("module").createRequire(process.cwd() + "/")(${
      JSON.stringify(name)
    });
     console.log(require(process.cwd() + ${
      JSON.stringify(`/node_modules/${name}/package.json`)
    }).version)`,
  );
}
