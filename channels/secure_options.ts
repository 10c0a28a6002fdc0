/** How long a handshake may take by default, in milliseconds. */
export const DEFAULT_HANDSHAKE_TIMEOUT = 10_000;

/** Which side sends the first handshake message. Nothing else differs. */
export type SecureRole = "initiator" | "responder";

/** Options of a secure stream. */
export interface SecureOptions {
  /**
   * Our side of the handshake. Without it the two sides agree: one that was
   * given no role takes the complement of the other's, and of two without a role
   * a random number decides. Two of the same role never connect.
   */
  role?: SecureRole;
  /**
   * What both sides must know alike, such as a name of the application, its
   * version or a session: a peer with another context is refused like one with
   * another key. It is authenticated and never sent. Any length; empty by default.
   */
  context?: Uint8Array;
  /**
   * How long the handshake may take, in milliseconds, until it fails with a
   * `StreamTimeoutError`, 10,000 by default; 0 is without end.
   */
  handshakeTimeout?: number;
}
