import { pemText } from "../_connect.ts";
import { ConnTransport } from "../_conn_transport.ts";
import { establish } from "../_establish.ts";
import { refuseOptions } from "../_refuse_options.ts";
import { TlsClientTransport } from "../_tls_client_transport.ts";
import type { StreamInfo } from "../byte_stream.ts";
import type { ByteTransport } from "../byte_transport.ts";
import {
  agreeHttpConnect,
  assertHttpConnectProxy,
  type HttpConnectProxy,
} from "./http_connect.ts";
import {
  openThroughProxy,
  type ProxyConversation,
  type ProxySocketOptions,
} from "./proxy.ts";
import { agreeSocks5, assertSocks5Proxy, type Socks5Proxy } from "./socks5.ts";
import { assertSshTunnel, openSshTunnel, type SshTunnel } from "./ssh.ts";
import { assertTarget, authorityOf, type Target } from "./target.ts";
import type { TlsParameters } from "./tls_transport.ts";

/** What a tunnel leads through: one of the three. */
export type TunnelVia =
  | {
    /** The `ssh` command. */
    ssh: SshTunnel;
  }
  | {
    /** An HTTP proxy that knows CONNECT. */
    httpConnect: HttpConnectProxy;
  }
  | {
    /** A SOCKS5 proxy. */
    socks5: Socks5Proxy;
  };

/** How TLS is spoken with the target of a tunnel. */
export interface TunnelTlsOptions {
  /** The name that the certificate must carry; the target's host by default. */
  hostname?: string;
  /** Certificate authorities to trust beside the platform's: file names or PEM text. */
  caCerts?: string[];
  /** Application protocols to offer (ALPN, RFC 7301), best first. */
  alpnProtocols?: string[];
}

/** Options of {@linkcode TunneledSocketStream.connect}. */
export interface TunnelOptions {
  /** What the tunnel leads through. */
  via: TunnelVia;
  /**
   * TLS with the target, inside the tunnel: with the platform's certificate
   * authorities (`true`), or with options. Off by default.
   */
  tls?: boolean | TunnelTlsOptions;
  /** Deadline for all of it in milliseconds, 10,000 by default; 0 is none. */
  timeout?: number;
  /** Gives up with the signal's own reason, and leaves no socket and no process behind. */
  signal?: AbortSignal;
  /** Whether small writes leave at once (Nagle's algorithm off), on by default. Not with ssh. */
  noDelay?: boolean;
  /** Whether the system probes an idle connection to the proxy, off by default. Not with ssh. */
  keepAlive?: boolean;
}

/** The end of an open tunnel. */
export interface OpenTunnel {
  readonly transport: ByteTransport;
  readonly info: StreamInfo;
}

/** Opens a tunnel, with TLS inside it if asked for. Whatever fails leaves nothing behind. */
export async function openTunnel(
  target: Target,
  options: TunnelOptions,
): Promise<OpenTunnel> {
  const { via, tls = false, timeout, signal, noDelay, keepAlive, ...rest } =
    options;
  refuseOptions("connect through a tunnel", rest, {
    ipv6: "the far end resolves the name",
  });
  assertTarget(target);
  const socket = {
    ...noDelay !== undefined && { noDelay },
    ...keepAlive !== undefined && { keepAlive },
  };
  const tunnel = tunnelTo(target, via, socket);
  const parameters = tls ? await tlsParameters(target, tls) : undefined;
  let settled: Promise<unknown> | undefined;
  const start = (both: AbortSignal) => {
    const opening = tunnel.open(both, parameters);
    settled = opening.catch(() => {});
    return opening.then((transport) => ({
      transport,
      close: () => transport.abort(both.reason),
    }));
  };
  try {
    const { transport } = await establish(tunnel.action, start, {
      timeout,
      signal,
    });
    const info = {
      transport: parameters ? `${tunnel.name}+tls` : tunnel.name,
      remote: { hostname: target.host, port: target.port },
    };
    return { transport, info };
  } catch (error) {
    await settled; // A process that was killed is waited for.
    throw error;
  }
}

interface Tunnel {
  /** For `info`. */
  readonly name: string;
  /** For error texts. */
  readonly action: string;
  readonly open: (
    signal: AbortSignal,
    tls: TlsParameters | undefined,
  ) => Promise<ByteTransport>;
}

function tunnelTo(
  target: Target,
  via: TunnelVia,
  socket: ProxySocketOptions,
): Tunnel {
  if (Object.keys(via).length !== 1) {
    throw new TypeError(
      `Cannot connect as via must be one tunnel: current keys are ${
        Object.keys(via).join(", ") || "none"
      }`,
    );
  }
  if ("httpConnect" in via) {
    const proxy = via.httpConnect;
    assertHttpConnectProxy(proxy);
    return throughProxy(
      target,
      "http-connect",
      { ...proxy, text: "HTTP proxy" },
      (conversation) => agreeHttpConnect(conversation, target, proxy),
      socket,
    );
  }
  if ("socks5" in via) {
    const proxy = via.socks5;
    assertSocks5Proxy(proxy);
    return throughProxy(
      target,
      "socks5",
      { ...proxy, text: "SOCKS5 proxy" },
      (conversation) => agreeSocks5(conversation, target, proxy),
      socket,
    );
  }
  if ("ssh" in via) return throughSsh(target, via.ssh, socket);
  throw new TypeError(
    `Cannot connect as via must be ssh, httpConnect or socks5: current key is ${
      Object.keys(via)[0]
    }`,
  );
}

function throughProxy(
  target: Target,
  name: string,
  proxy: { host: string; port: number; text: string },
  agree: (conversation: ProxyConversation) => Promise<void>,
  socket: ProxySocketOptions,
): Tunnel {
  assertTarget(proxy);
  const action = `connect to ${
    authorityOf(target)
  } through the ${proxy.text} at ${authorityOf(proxy)}`;
  return {
    name,
    action,
    open: async (signal, tls) => {
      const conn = new ConnTransport(
        await openThroughProxy(proxy, action, agree, socket, signal),
      );
      // Not Deno.startTls: a handshake that a silent target does not answer
      // keeps the socket open, also after close().
      return tls ? await secured(conn, tls, signal) : conn;
    },
  };
}

function throughSsh(
  target: Target,
  ssh: SshTunnel,
  socket: ProxySocketOptions,
): Tunnel {
  const [refused] = Object.keys(socket);
  if (refused !== undefined) {
    throw new TypeError(
      `Cannot connect through ssh with ${refused}: the socket is that of ssh`,
    );
  }
  assertSshTunnel(ssh);
  const action = `connect to ${authorityOf(target)} through ssh to ${ssh.host}`;
  return {
    name: "ssh",
    action,
    open: async (signal, tls) => {
      const child = await openSshTunnel(target, ssh, action, signal);
      return tls ? await secured(child, tls, signal) : child;
    },
  };
}

/** TLS over `inner`. Loaded when it is wanted, as `node:tls` takes 20 ms. */
async function secured(
  inner: ByteTransport,
  tls: TlsParameters,
  signal: AbortSignal,
): Promise<ByteTransport> {
  const { TlsTransport } = await import("./tls_transport.ts");
  return new TlsClientTransport(await TlsTransport.open(inner, tls, signal));
}

async function tlsParameters(
  { host }: Target,
  tls: true | TunnelTlsOptions,
): Promise<TlsParameters> {
  const { hostname = host, caCerts = [], alpnProtocols, ...rest } = tls === true
    ? {}
    : tls;
  refuseOptions("speak TLS through a tunnel", rest);
  return {
    hostname,
    caCerts: await Promise.all(caCerts.map(pemText)),
    ...(alpnProtocols && { alpnProtocols }),
  };
}
