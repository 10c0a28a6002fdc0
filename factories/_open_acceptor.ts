import { assertTime } from "../streams/_assert.ts";
import { DEFAULT_CONNECT_TIMEOUT } from "../streams/_establish.ts";
import { Acceptor, type AcceptorOptions } from "./_acceptor.ts";
import { listenUnix } from "./_listen_unix.ts";
import { refuseOptions } from "../streams/_refuse_options.ts";
import type {
  ListenOptions,
  ListenTcpOptions,
  ListenTlsOptions,
  ListenUnixOptions,
} from "./listen_options.ts";

/** Of {@linkcode AcceptorOptions} what every transport has. */
type CommonOptions = Pick<AcceptorOptions, "onError" | "maxConnections">;

/** Listens as the options say. */
export function openAcceptor(
  { onError: _, ...options }: ListenOptions,
  common: CommonOptions,
): Acceptor {
  if ("path" in options) return openUnix(options, common);
  if ("certFile" in options || "keyFile" in options) {
    return openTls(options as ListenTlsOptions, common);
  }
  return openTcp(options, common);
}

function openTcp(
  { hostname = "127.0.0.1", port, noDelay = true, keepAlive = false, ...rest }:
    ListenTcpOptions,
  common: CommonOptions,
): Acceptor {
  refuseOptions("listen on TCP", rest, REASONS);
  const listener = Deno.listen({ hostname, port });
  return new Acceptor(listener, { ...DEFAULTS, noDelay, keepAlive, ...common });
}

function openTls(
  {
    hostname = "127.0.0.1",
    port,
    certFile,
    keyFile,
    alpnProtocols,
    handshakeTimeout = DEFAULT_CONNECT_TIMEOUT,
    ...rest
  }: ListenTlsOptions,
  common: CommonOptions,
): Acceptor {
  refuseOptions("listen on TLS", rest, REASONS);
  assertTime("handshakeTimeout", handshakeTimeout);
  if (certFile === undefined || keyFile === undefined) {
    throw new TypeError(
      "Cannot listen on TLS as certFile and keyFile go together",
    );
  }
  const listener = Deno.listenTls({
    hostname,
    port,
    cert: Deno.readTextFileSync(certFile),
    key: Deno.readTextFileSync(keyFile),
    ...(alpnProtocols && { alpnProtocols }),
  });
  return new Acceptor(listener, { ...DEFAULTS, handshakeTimeout, ...common });
}

function openUnix(
  { path, ...rest }: ListenUnixOptions,
  common: CommonOptions,
): Acceptor {
  refuseOptions("listen on a Unix socket", rest, REASONS);
  return new Acceptor(listenUnix(path), { ...DEFAULTS, ...common });
}

/** A server that seems to ask for client certificates, and does not, is worse than none. */
const CLIENT_CERTIFICATES =
  "the platform's TLS listener does not verify client certificates";

const REASONS = {
  ca: CLIENT_CERTIFICATES,
  caCerts: CLIENT_CERTIFICATES,
  clientAuth: CLIENT_CERTIFICATES,
  requestCert: CLIENT_CERTIFICATES,
  rejectUnauthorized: CLIENT_CERTIFICATES,
};

const DEFAULTS = {
  noDelay: true,
  keepAlive: false,
  handshakeTimeout: DEFAULT_CONNECT_TIMEOUT,
};
