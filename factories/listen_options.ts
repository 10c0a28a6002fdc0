import type { ErrorInfo } from "./error_info.ts";

/** Options of every kind of listener. */
export interface ListenBaseOptions {
  /**
   * Is told what failed without ending the listener: an accept that the
   * platform refused (it is tried again), a TLS handshake. By default nobody
   * is; `sluice:error` tells as well.
   */
  onError?: (error: unknown, info: ErrorInfo) => void;
}

/** Listens on TCP. */
export interface ListenTcpOptions extends ListenBaseOptions {
  /** Address to listen on, `"127.0.0.1"` by default: only this machine. */
  hostname?: string;
  /** Port, 0 to 65535; 0 lets the system choose, and `addr.port` tells. */
  port: number;
  /** Whether small writes leave at once (Nagle's algorithm off), on by default. */
  noDelay?: boolean;
  /** Whether the system probes idle connections, off by default. */
  keepAlive?: boolean;
}

/**
 * Listens on TCP and speaks TLS. The platform does not let an accepted TLS
 * connection turn Nagle's algorithm off, or `keepAlive` on, or ask for a client's
 * certificate: there are no options for that, and none is ignored.
 */
export interface ListenTlsOptions extends ListenBaseOptions {
  /** Address to listen on, `"127.0.0.1"` by default: only this machine. */
  hostname?: string;
  /** Port, 0 to 65535; 0 lets the system choose, and `addr.port` tells. */
  port: number;
  /** File of the certificate chain, PEM. */
  certFile: string;
  /** File of its private key, PEM. */
  keyFile: string;
  /** Application protocols to choose from (ALPN, RFC 7301). */
  alpnProtocols?: string[];
  /**
   * Deadline of a client's TLS handshake in milliseconds, 10,000 by default; 0
   * is none. A client that misses it is given up, and never held up another but
   * at the `maxConnections` of `serve`. The platform (Deno 2.9.6) keeps its socket
   * all the same until the client ends it: against strangers who open many, limit
   * them in front of the server.
   */
  handshakeTimeout?: number;
}

/** Listens on a Unix socket. */
export interface ListenUnixOptions extends ListenBaseOptions {
  /**
   * Path of the socket, at most 107 bytes. Whoever may enter its folder may
   * connect, as the platform makes it with mode 755 less the umask: put it into
   * a folder of mode 700.
   *
   * A socket file that a dead process has left there is replaced; one that
   * somebody listens on, and any other file, is refused. Closing the listener
   * removes the file that is at the path by then; a relative path is taken from
   * the folder that is the current one by then.
   */
  path: string;
}

/** Options of {@linkcode listen}. */
export type ListenOptions =
  | ListenTcpOptions
  | ListenTlsOptions
  | ListenUnixOptions;
