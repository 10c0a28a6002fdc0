import type { StreamInfo } from "../streams/byte_stream.ts";

/** What was going on when something failed. */
export type ErrorPhase =
  /** A connection was being made, with all its handshakes. */
  | "connect"
  /** The platform refused to accept a connection, for want of files for example; it is tried again. */
  | "accept"
  /** A connection was accepted, and TLS or the key's handshake then failed. */
  | "handshake"
  /** A connection failed while it was in use. */
  | "connection"
  /** The handler of a server threw, or rejected. */
  | "handler";

/** Tells an `onError` where its error comes from. */
export interface ErrorInfo {
  /** What was going on. */
  readonly phase: ErrorPhase;
  /** The connection, where there is one. */
  readonly info?: StreamInfo;
}
