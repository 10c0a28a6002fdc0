/**
 * All that Sluice asks of a transport: two byte streams, one each way.
 *
 * A socket of ours, a QUIC or WebTransport stream, a Cloudflare socket or two
 * `TransformStream`s fit as they are; a `WebSocketStream` of binary messages fits
 * with a cast, as its type allows for text. A `Deno.Conn` does not: its two sides end
 * together. Wrap it in a {@linkcode SocketStream}.
 */
export interface ByteStreamPair {
  /** The bytes that the peer sends. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Takes the bytes for the peer. */
  readonly writable: WritableStream<Uint8Array>;
}
