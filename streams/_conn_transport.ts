import { deadline } from "jsr:@std/async@^1.5.0/deadline";
import { ReadBuffer } from "./_read_buffer.ts";
import type { ByteTransport } from "./byte_transport.ts";

/** The operations of a `Deno.Conn`, or of a pair of files, that we use. */
export interface RawConn {
  read(buffer: Uint8Array): Promise<number | null>;
  write(data: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}

/**
 * The most that one read asks for, in bytes. While the system copies, what the peer
 * sends has to wait: payloads of 1 MiB are received 1.2 times as fast as in reads of
 * all that is there.
 */
const MAX_READ = 196_608;

/** How long `close()` waits for the end (TLS: close_notify) to go out, in ms. */
const END_TIMEOUT = 1000;

/**
 * A transport over `read`, `write` and `closeWrite` of a connection. The web
 * streams of `Deno.Conn` do not serve: an end of either closes both.
 */
export class ConnTransport implements ByteTransport {
  readonly #conn: RawConn;
  readonly #buffer = new ReadBuffer();
  #writing = false;
  #ending: Promise<void> | undefined;
  #closed = false;

  constructor(conn: RawConn) {
    this.#conn = conn;
  }

  async read(into?: Uint8Array): Promise<Uint8Array | null> {
    const loan = into?.subarray(0, MAX_READ);
    const count = await this.#conn.read(loan ?? this.#buffer.space());
    if (count === null) return null;
    if (loan === undefined) return this.#buffer.take(count);
    this.#buffer.note(count, count === loan.byteLength);
    return loan.subarray(0, count);
  }

  async write(data: Uint8Array): Promise<void> {
    this.#writing = true;
    let written = 0;
    while (written < data.byteLength) { // The platform may write less than it was given.
      written += await this.#conn.write(
        written === 0 ? data : data.subarray(written),
      );
    }
    this.#writing = false;
  }

  closeWrite(): Promise<void> {
    return this.#ending ??= this.#conn.closeWrite();
  }

  async close(): Promise<void> {
    try {
      // TLS needs its close_notify; behind a stuck write it cannot go out.
      if (!this.#writing) await deadline(this.closeWrite(), END_TIMEOUT);
    } finally {
      this.abort();
    }
  }

  abort(): void {
    if (this.#closed) return; // A second close() of the platform throws.
    this.#closed = true;
    this.#conn.close();
  }
}
