import { deadline } from "jsr:@std/async@^1.5.0/deadline";
import type { ByteTransport } from "./byte_transport.ts";

/** How long `close()` waits at most for the peer to be heard, in milliseconds. */
const HEARING_TIMEOUT = 500;

/**
 * The transport of a TLS client, that has heard its peer before it is closed.
 *
 * A server of TLS 1.3 sends session tickets right after the handshake. If they
 * come to a socket that is closed, or are unread at its close, the system resets
 * the connection and drops what it had still to send. Tickets show nowhere, but
 * they come before all data: after data, or the end, none is on its way.
 */
export class TlsClientTransport implements ByteTransport {
  readonly #inner: ByteTransport;
  #heard = false;
  #reading: Promise<Uint8Array | null> | undefined;

  constructor(inner: ByteTransport) {
    this.#inner = inner;
  }

  read(into?: Uint8Array): Promise<Uint8Array | null> {
    if (this.#heard) return this.#inner.read(into);
    return this.#reading = this.#hear(into);
  }

  write(data: Uint8Array): Promise<void> {
    return this.#inner.write(data);
  }

  closeWrite(): Promise<void> {
    return this.#inner.closeWrite();
  }

  async close(): Promise<void> {
    if (!this.#heard) {
      // A peer that has nothing to say ends when we have.
      this.#inner.closeWrite().catch(() => {});
      // The read under way may be one that nobody waits for any more.
      const hearing = this.#reading ?? this.#hear();
      await deadline(hearing, HEARING_TIMEOUT).catch(() => {});
    }
    await this.#inner.close();
  }

  abort(reason: unknown): Promise<void> | void {
    return this.#inner.abort(reason);
  }

  /** The first read, of which nothing is kept. */
  async #hear(into?: Uint8Array): Promise<Uint8Array | null> {
    try {
      return await this.#inner.read(into);
    } finally {
      this.#heard = true;
      this.#reading = undefined;
    }
  }
}
