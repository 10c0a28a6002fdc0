import { retry, RetryError } from "jsr:@std/async@^1.5.0/retry";
import { StreamError } from "../errors.ts";
import { assertInteger } from "./_assert.ts";
import { establish } from "./_establish.ts";
import { onAbort } from "./_on_abort.ts";
import { refuseOptions } from "./_refuse_options.ts";

/** Options of {@linkcode SocketStream.connectUnix}. */
export interface ConnectUnixOptions {
  /** Deadline in milliseconds, 10,000 by default; 0 is none. */
  timeout?: number;
  /** Gives up with the signal's own reason. */
  signal?: AbortSignal;
}

/** Options of {@linkcode SocketStream.connect}. */
export interface ConnectOptions extends ConnectUnixOptions {
  /**
   * `true`: IPv6 addresses only; `false`: IPv4 addresses only; by default what
   * the platform prefers. A name that has none is not found, an address of the
   * other kind refused.
   */
  ipv6?: boolean;
  /**
   * Whether the system probes an idle connection, off by default. Its first
   * probe comes after two hours; a channel's `heartbeat` notices sooner.
   */
  keepAlive?: boolean;
  /** Whether small writes leave at once (Nagle's algorithm off), on by default. */
  noDelay?: boolean;
  /** Deadline of each attempt, with TLS, in milliseconds, 10,000 by default; 0 is none. */
  timeout?: number;
  /**
   * How often to try in all, 1 by default. Every failure that is a `StreamError` is
   * tried again, an untrusted certificate too; misuse and a missing permission are
   * not. The waits between attempts grow from 100 ms to 5 s, each shortened at random.
   */
  attempts?: number;
}

/** Options of {@linkcode SocketStream.connectTls}. */
export interface ConnectTlsOptions extends ConnectOptions {
  /** File of the client's private key, PEM; goes with `certFile`. */
  keyFile?: string;
  /**
   * File of the client's certificate chain, PEM; goes with `keyFile`. The
   * platform then makes the socket itself, so that `ipv6`, `keepAlive` and
   * `noDelay` cannot be set, and a connect that is given up, while the peer has
   * not answered, keeps its socket until it does or the system gives up too.
   */
  certFile?: string;
  /** Certificate authorities to trust beside the platform's: file names or PEM text. */
  caCerts?: string[];
  /** Application protocols to offer (ALPN, RFC 7301), best first. */
  alpnProtocols?: string[];
}

/** A TCP connection with its options set. */
export async function connectTcp(
  host: string,
  port: number,
  { ipv6, keepAlive, noDelay, attempts, timeout, signal, ...rest }:
    ConnectOptions,
): Promise<Deno.TcpConn> {
  refuseOptions("connect to a port", rest);
  assertInteger("port", port, 0, 65_535);
  const socket = { ipv6, keepAlive, noDelay };
  return await attempt(
    { attempts, signal },
    () =>
      establish(
        `connect to ${host}:${port}`,
        (signal) => openTcp(host, port, socket, signal),
        { timeout, signal },
      ),
  );
}

/** A TLS connection whose handshake is done. */
export async function connectTls(
  host: string,
  port: number,
  {
    keyFile,
    certFile,
    caCerts = [],
    alpnProtocols,
    ipv6,
    keepAlive,
    noDelay,
    attempts,
    timeout,
    signal,
    ...rest
  }: ConnectTlsOptions,
): Promise<Deno.TlsConn> {
  refuseOptions("connect over TLS", rest);
  assertInteger("port", port, 0, 65_535);
  const socket = { ipv6, keepAlive, noDelay };
  const client = await clientCertificate({ certFile, keyFile, ...socket });
  const tls = {
    caCerts: await Promise.all(caCerts.map(pemText)),
    ...(alpnProtocols && { alpnProtocols }),
  };
  const open = async (signal: AbortSignal): Promise<Deno.TlsConn> => {
    if (client) {
      // It takes no signal: what is given up here ends when the system likes it to.
      return await Deno.connectTls({ hostname: host, port, ...tls, ...client });
    }
    // startTls rather than connectTls: a TlsConn has no setNoDelay.
    const tcp = await openTcp(host, port, socket, signal);
    try {
      return await Deno.startTls(tcp, { hostname: host, ...tls });
    } catch (error) {
      // It took nothing over if it refused the name, as it does 127.1.
      tcp[Symbol.dispose]();
      throw error;
    }
  };
  return await attempt(
    { attempts, signal },
    () =>
      establish(
        `connect to ${host}:${port} over TLS`,
        (signal) => open(signal).then((conn) => handshake(conn, signal)),
        { timeout, signal },
      ),
  );
}

/** A connection to a Unix socket. */
export async function connectUnix(
  path: string,
  { timeout, signal, ...rest }: ConnectUnixOptions,
): Promise<Deno.UnixConn> {
  refuseOptions("connect to a Unix socket", rest);
  return await establish(
    `connect to ${path}`,
    () => Deno.connect({ transport: "unix", path }),
    { timeout, signal },
  );
}

/** Finishes the handshake, which the platform would do at the first read. */
export async function handshake(
  conn: Deno.TlsConn,
  signal: AbortSignal,
): Promise<Deno.TlsConn> {
  // A silent peer leaves handshake() pending for ever: closing it ends that.
  let open = true;
  const close = () => {
    if (open) conn.close();
    open = false;
  };
  using _ = onAbort(signal, close);
  try {
    signal.throwIfAborted();
    await conn.handshake();
    return conn;
  } catch (error) {
    close();
    throw error;
  }
}

/** A TCP connection with its options set, before any handshake. */
export async function openTcp(
  host: string,
  port: number,
  { ipv6, keepAlive = false, noDelay = true }: ConnectOptions,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  const hostname = ipv6 === undefined ? host : await resolve(host, ipv6);
  signal.throwIfAborted();
  const conn = await Deno.connect({ hostname, port, signal: relay(signal) });
  try {
    conn.setNoDelay(noDelay);
    if (keepAlive) conn.setKeepAlive(true);
    return conn;
  } catch (error) {
    conn.close();
    throw error;
  }
}

/**
 * A signal for `Deno.connect`, which asks its signal once more when it has
 * connected, and if that was aborted meanwhile, throws and forgets the socket.
 * This one does not tell, so that whoever waits gets the socket and closes it.
 */
function relay(signal: AbortSignal): AbortSignal {
  const relayed = AbortSignal.any([signal]);
  relayed.throwIfAborted = () => {};
  return relayed;
}

function attempt<T>(
  { attempts = 1, signal }: ConnectOptions,
  connect: () => Promise<T>,
): Promise<T> {
  assertInteger("attempts", attempts, 1);
  return retry(connect, {
    maxAttempts: attempts,
    minTimeout: 100,
    maxTimeout: 5000,
    // A refused connection may be accepted later; misuse and a signal stay.
    isRetriable: (error) => error instanceof StreamError && !signal?.aborted,
    ...(signal && { signal }),
  }).catch((error) => {
    throw error instanceof RetryError ? error.cause : error;
  });
}

async function clientCertificate(
  { certFile, keyFile, ipv6, keepAlive, noDelay }: ConnectTlsOptions,
): Promise<{ cert: string; key: string } | undefined> {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new TypeError(
      "Cannot use a client certificate as certFile and keyFile go together",
    );
  }
  // The platform takes a client certificate in connectTls only, and gives no
  // access to the socket below it.
  const refused = Object.entries({ ipv6, keepAlive, noDelay })
    .filter(([_, value]) => value !== undefined).map(([name]) => name);
  if (refused.length > 0) {
    throw new TypeError(
      `Cannot use a client certificate together with ${
        refused.join(", ")
      }: the platform does not allow it`,
    );
  }
  const [cert, key] = await Promise.all([
    Deno.readTextFile(certFile),
    Deno.readTextFile(keyFile),
  ]);
  return { cert, key };
}

/** PEM text, which may be the name of a file that holds it. */
export function pemText(fileOrText: string): Promise<string> {
  return fileOrText.includes("-----BEGIN")
    ? Promise.resolve(fileOrText)
    : Deno.readTextFile(fileOrText);
}

async function resolve(host: string, ipv6: boolean): Promise<string> {
  const { lookup } = await import("node:dns/promises"); // 3 ms that few need.
  const found = await lookup(host, { family: ipv6 ? 6 : 4 }).catch((error) => {
    const code = error instanceof Error && "code" in error && error.code;
    if (code !== "EPERM") throw error;
    // What Deno.connect would say of a missing permission.
    throw new Deno.errors.NotCapable(
      `Requires net access to "${host}", run again with the --allow-net flag`,
      { cause: error },
    );
  });
  // An address is found whatever was asked for, and no other attempt will help.
  if (found.family === (ipv6 ? 6 : 4)) return found.address;
  throw new TypeError(
    `Cannot connect with ipv6: ${ipv6} as ${host} is an address of IPv${found.family}`,
  );
}
