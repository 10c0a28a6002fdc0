/** How long the probe of a socket file may take, in milliseconds. */
const PROBE_TIMEOUT = 5000;

/**
 * Listens on a Unix socket. A process that was killed, by Ctrl-C too, leaves its
 * socket file behind, and the platform then refuses the path for ever: such a
 * file is replaced, where nobody listens on it.
 */
export function listenUnix(path: string): Deno.UnixListener {
  const options = { transport: "unix", path } as const;
  try {
    return Deno.listen(options);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    if (!isFreed(path)) throw error;
    return Deno.listen(options);
  }
}

/** Removes a socket file that nobody listens on; gives whether the path is free. */
function isFreed(path: string): boolean {
  try {
    const file = Deno.lstatSync(path);
    if (!file.isSocket || !isStale(path)) return false;
    // Another process may have come to the same conclusion, and been faster. The
    // number of a removed file may be that of the next one, its time is not.
    const { ino, mtime } = Deno.lstatSync(path);
    if (ino !== file.ino || mtime?.getTime() !== file.mtime?.getTime()) {
      return false;
    }
    Deno.removeSync(path);
  } catch (error) { // It was removed meanwhile.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return true;
}

/**
 * Whether nobody listens on a socket file. Only a connect can tell, and the
 * platform has none that is synchronous, as listening is: a worker does it while
 * we wait, about 20 ms.
 */
function isStale(path: string): boolean {
  const answer = new Int32Array(new SharedArrayBuffer(4));
  const url = URL.createObjectURL(
    new Blob([PROBE], { type: "text/javascript" }),
  );
  const worker = new Worker(url, { type: "module" });
  try {
    worker.postMessage({ answer, path });
    Atomics.wait(answer, 0, UNKNOWN, PROBE_TIMEOUT);
    return answer[0] === STALE; // When in doubt, it is in use.
  } finally {
    worker.terminate();
    URL.revokeObjectURL(url);
  }
}

const UNKNOWN = 0;
const STALE = 1;
const IN_USE = 2;

const PROBE = `
onmessage = async ({ data: { answer, path } }) => {
  let result = ${IN_USE};
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) result = ${STALE};
  }
  Atomics.store(answer, 0, result);
  Atomics.notify(answer, 0);
};
`;
