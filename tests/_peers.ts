/**
 * Tests against programs of others.
 *
 * Where such a program is not installed, its tests are skipped and their names
 * say why. With `SLUICE_REQUIRE_PEERS=1` in the environment they fail instead:
 * a machine that is meant to run all of them cannot lose one in silence.
 *
 * @module
 */

/** A program, or a Python module, that tests talk to. */
export interface Peer {
  /** The Debian package that has it. */
  readonly package: string;
  /**
   * The program to run (for a Python module, the interpreter that has it), or
   * undefined where it is missing. Looked for at the first call only.
   */
  find(): string | undefined;
}

/** The OpenSSH client. */
export const ssh: Peer = program("ssh", "openssh-client");
/** The OpenSSH server. */
export const sshd: Peer = program("sshd", "openssh-server");
/** An HTTP proxy that knows CONNECT. */
export const tinyproxy: Peer = program("tinyproxy", "tinyproxy");
/** A SOCKS5 proxy, small. */
export const microsocks: Peer = program("microsocks", "microsocks");
/** A SOCKS5 proxy, complete. */
export const danted: Peer = program("danted", "dante-server");
/** A relay between any two kinds of stream. */
export const socat: Peer = program("socat", "socat");
/** The TLS command line tool. */
export const openssl: Peer = program("openssl", "openssl");
/** Python alone, with its standard library. */
export const python3: Peer = pythonModule("zlib", "python3");
/** RPyC, the other implementation of the frames. */
export const rpyc: Peer = pythonModule("rpyc", "python3-rpyc");
/** Python's cryptography, for a second opinion on the secure stream. */
export const pyCryptography: Peer = pythonModule(
  "cryptography",
  "python3-cryptography",
);

/** Where the program of a peer is, which a test of that peer may rely on. */
export function commandOf(peer: Peer): string {
  const path = peer.find();
  if (path === undefined) {
    throw new Error(`Cannot run ${peer.package} as it is not installed`);
  }
  return path;
}

/** The interpreter that has the module of `peer`, by default RPyC. */
export function python(peer: Peer = rpyc): string {
  return commandOf(peer);
}

/**
 * A test that needs a peer, or several.
 *
 * @param peer What must be installed.
 * @param name The test's name, a sentence.
 * @param fn The test.
 */
export function peerTest(
  peer: Peer | readonly Peer[],
  name: string,
  fn: (t: Deno.TestContext) => void | Promise<void>,
): void {
  const missing = [peer].flat()
    .filter((peer: Peer) => peer.find() === undefined)
    .map((peer: Peer) => peer.package)
    .join(", ");
  if (missing === "") {
    Deno.test(name, fn);
  } else if (Deno.env.get("SLUICE_REQUIRE_PEERS") === "1") {
    Deno.test(name, () => {
      throw new Error(
        `Cannot run the test as SLUICE_REQUIRE_PEERS is 1: missing ${missing}`,
      );
    });
  } else {
    Deno.test.ignore(`${name} (skipped: install ${missing})`, fn);
  }
}

function program(name: string, debianPackage: string): Peer {
  return { package: debianPackage, find: once(() => which(name)) };
}

function pythonModule(module: string, debianPackage: string): Peer {
  const find = once(() =>
    // Debian's own interpreter first: another one in PATH lacks its packages.
    ["/usr/bin/python3", which("python3"), which("python")].find((path) =>
      path !== undefined && hasModule(path, module)
    )
  );
  return { package: debianPackage, find };
}

/** Asks for the module without loading it, which takes a tenth of the time. */
function hasModule(interpreter: string, module: string): boolean {
  const script = "import importlib.util, sys\n" +
    "sys.exit(importlib.util.find_spec(sys.argv[1]) is None)";
  try {
    const { success } = new Deno.Command(interpreter, {
      args: ["-c", script, module],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).outputSync();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The file that a command name stands for. */
function which(name: string): string | undefined {
  const windows = Deno.build.os === "windows";
  const folders = (Deno.env.get("PATH") ?? "").split(windows ? ";" : ":");
  // Servers are here, and a user's PATH often leaves it out.
  if (!windows) folders.push("/usr/sbin", "/usr/local/sbin");
  return folders
    .filter((folder) => folder !== "")
    .map((folder) => windows ? `${folder}\\${name}.exe` : `${folder}/${name}`)
    .find(isFile);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function once<T>(fn: () => T): () => T {
  let result: { value: T } | undefined;
  return () => (result ??= { value: fn() }).value;
}

/** Makes the folder that sshd as root does not start without, where no service has. */
export async function prepareSshd(): Promise<void> {
  if (Deno.uid() !== 0) return;
  await Deno.mkdir("/run/sshd", { recursive: true, mode: 0o755 });
}
