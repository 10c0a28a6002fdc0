/** One end of a transport, as far as it has a name. */
export interface StreamAddress {
  /** Host name or IP address. */
  readonly hostname?: string;
  /** TCP port. */
  readonly port?: number;
  /** Path of a Unix socket. */
  readonly path?: string;
}

/** What a stream says about itself, for logs and metrics. */
export interface StreamInfo {
  /** The kind of transport: `tcp`, `tls`, `unix`, `memory`, `process`, `stdio`, ... */
  readonly transport: string;
  /** Our end. */
  readonly local?: StreamAddress;
  /** The peer's end. */
  readonly remote?: StreamAddress;
  /** The application protocol that a TLS handshake of ours agreed on (ALPN, RFC 7301). */
  readonly alpnProtocol?: string;
}
