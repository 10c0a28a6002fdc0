import { delay } from "jsr:@std/async@^1.5.0/delay";
import { Fifo } from "../streams/_fifo.ts";
import { StreamClosedError } from "../errors.ts";
import { establish } from "../streams/_establish.ts";
import { tlsInfoOf } from "../streams/_conn_info.ts";
import { ConnTransport } from "../streams/_conn_transport.ts";
import { handshake } from "../streams/_connect.ts";
import { toStreamError } from "../streams/_stream_error.ts";
import { withdrawable } from "../streams/_withdrawable.ts";
import type { StreamInfo } from "../streams/byte_stream.ts";
import { SocketStream } from "../streams/socket_stream.ts";
import type { ErrorInfo, ErrorPhase } from "./error_info.ts";

/** How connections are accepted. */
export interface AcceptorOptions {
  /** Whether small writes leave at once. TLS connections cannot be told. */
  readonly noDelay: boolean;
  /** Whether the system probes idle connections. TLS connections cannot be told. */
  readonly keepAlive: boolean;
  /** Deadline of a TLS handshake in milliseconds; 0 is none. */
  readonly handshakeTimeout: number;
  /** How many connections there may be at a time, from their accept to `vacate()`. */
  readonly maxConnections: number;
  /** Is told what failed without ending the listener. */
  readonly onError: (error: unknown, info: ErrorInfo) => void;
}

/** The first and the longest pause after a failed accept, in milliseconds. */
const MIN_PAUSE = 5;
const MAX_PAUSE = 1000;

/**
 * Accepts connections while somebody waits for one and there is a place for it. An
 * accept that fails, as it does without a free file, is tried again after a pause,
 * and TLS handshakes run beside it, so that a silent client holds up nobody as
 * long as there are places.
 */
export class Acceptor {
  readonly #listener: Deno.Listener;
  readonly #options: AcceptorOptions;
  readonly #closing = new AbortController();
  readonly #ready = new Fifo<SocketStream>();
  readonly #waiters = new Fifo<PromiseWithResolvers<SocketStream>>();
  #accepting: Promise<void> | undefined;
  /** Places that are taken: by handshakes, and by connections until `vacate()`. */
  #taken = 0;

  constructor(listener: Deno.Listener, options: AcceptorOptions) {
    this.#listener = listener;
    this.#options = options;
  }

  /** Where it listens. */
  get addr(): Deno.Addr {
    return this.#listener.addr;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** The next connection, with its handshake done. */
  accept(signal?: AbortSignal): Promise<SocketStream> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.closed) return Promise.reject(this.#closing.signal.reason);
    const stream = this.#ready.shift();
    if (stream) return Promise.resolve(stream);
    const waiter = Promise.withResolvers<SocketStream>();
    this.#waiters.push(waiter);
    this.#proceed();
    if (!signal) return waiter.promise;
    return withdrawable(waiter, signal, () => this.#waiters.remove(waiter));
  }

  /** Gives the place back of a connection that was handed out. */
  vacate(): void {
    this.#taken--;
    this.#proceed();
  }

  /** Stops listening; connections that nobody has taken are closed. */
  close(): void {
    if (this.closed) return;
    const reason = new StreamClosedError(
      "Cannot accept a connection as the listener was closed",
    );
    this.#closing.abort(reason);
    this.#listener[Symbol.dispose]();
    for (const { reject } of this.#waiters.clear()) reject(reason);
    for (const stream of this.#ready.clear()) stream.abort(reason);
  }

  /** Closes, and waits until the address can be listened on again. */
  async release(): Promise<void> {
    this.close();
    await this.#accepting; // The platform holds it as long as an accept is pending.
  }

  /** Keeps the process alive while somebody waits for a connection. */
  ref(): void {
    this.#listener.ref();
  }

  /** Does not keep the process alive. */
  unref(): void {
    this.#listener.unref();
  }

  /** Whether another connection is to be accepted. */
  get #wanting(): boolean {
    return this.#waiters.size > 0 && !this.closed &&
      this.#taken < this.#options.maxConnections;
  }

  #proceed(): void {
    if (this.#wanting) this.#accepting ??= this.#acceptAll();
  }

  async #acceptAll(): Promise<void> {
    let pause = MIN_PAUSE;
    while (this.#wanting) {
      try {
        this.#admit(await this.#listener.accept());
        pause = MIN_PAUSE;
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) this.close();
        if (this.closed) return;
        // Whatever else it is (no free file, no memory, a peer that has gone
        // already), it can pass, and a server that gives up cannot.
        this.#report(error, "accept");
        await delay(pause, { signal: this.#closing.signal }).catch(() => {});
        pause = Math.min(pause * 2, MAX_PAUSE);
      }
    }
    this.#accepting = undefined;
  }

  #admit(conn: Deno.Conn): void {
    if ("handshake" in conn) {
      this.#shakeHands(conn as Deno.TlsConn);
      return;
    }
    const { noDelay, keepAlive } = this.#options;
    if (keepAlive && "setKeepAlive" in conn) {
      try {
        (conn as Deno.TcpConn).setKeepAlive(true);
      } catch (error) { // It was reset meanwhile.
        conn.close();
        return this.#report(error, "handshake", infoOf("tcp", conn));
      }
    }
    this.#taken++;
    this.#deliver(new SocketStream(conn, { noDelay }));
  }

  async #shakeHands(conn: Deno.TlsConn): Promise<void> {
    const info = infoOf("tls", conn);
    this.#taken++;
    try {
      await establish(
        `finish the handshake with ${info.remote?.hostname}`,
        (signal) => handshake(conn, signal),
        {
          timeout: this.#options.handshakeTimeout,
          signal: this.#closing.signal,
        },
      );
      const transport = new ConnTransport(conn);
      this.#deliver(new SocketStream(transport, await tlsInfoOf(conn)));
    } catch (error) {
      if (!this.closed) this.#report(error, "handshake", info);
      this.vacate();
    }
  }

  #deliver(stream: SocketStream): void {
    if (this.closed) return stream.abort(this.#closing.signal.reason);
    const waiter = this.#waiters.shift();
    if (waiter) waiter.resolve(stream);
    else this.#ready.push(stream);
  }

  #report(error: unknown, phase: ErrorPhase, info?: StreamInfo): void {
    this.#options.onError(toStreamError(error, "accept a connection"), {
      phase,
      info,
    });
  }
}

function infoOf(transport: string, { remoteAddr }: Deno.Conn): StreamInfo {
  if (!("hostname" in remoteAddr)) return { transport };
  const { hostname, port } = remoteAddr;
  return { transport, remote: { hostname, port } };
}
