import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import {
  connect,
  type ConnectionOptions,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from "node:tls";
import { isIP } from "node:net";
import { deadline } from "jsr:@std/async@^1.5.0/deadline";
import { ConnectionLostError } from "../../errors.ts";
import { onAbort } from "../_on_abort.ts";
import type { ByteTransport } from "../byte_transport.ts";

/** How long `close()` waits for close_notify to go out, in milliseconds. */
const END_TIMEOUT = 1000;

/** How many bytes nobody has read are enough to ask the transport for no more. */
const MAX_UNREAD = 65_536;

/** How TLS is spoken. */
export interface TlsParameters {
  /** The name that the certificate must carry. */
  readonly hostname: string;
  /** Authorities to trust beside the platform's, PEM. */
  readonly caCerts: string[];
  /** Protocols to offer. */
  readonly alpnProtocols?: string[];
}

/**
 * TLS over any transport, where the platform's `startTls` wants a socket.
 *
 * The end of the transport is never passed on to TLS, as `node:tls` would give
 * it for the end of the data: only close_notify is that, as elsewhere.
 */
export class TlsTransport implements ByteTransport {
  readonly #inner: ByteTransport;
  readonly #duplex: Duplex;
  readonly #socket: TLSSocket;
  #failure: { readonly reason: unknown } | undefined;
  #secured = false;
  /** The peer's close_notify came. */
  #ended = false;
  /** The transport came to its end. */
  #cut = false;
  /** TLS asked for more while enough was unread. */
  #held = false;
  #ending: Promise<void> | undefined;
  #news = Promise.withResolvers<void>();

  private constructor(inner: ByteTransport, parameters: TlsParameters) {
    const { hostname, caCerts, alpnProtocols } = parameters;
    this.#inner = inner;
    this.#duplex = this.#makeDuplex();
    this.#duplex.on("error", (error) => this.#fail(error));
    const options: ConnectionOptions & {
      allowHalfOpen: boolean;
      highWaterMark: number;
    } = {
      socket: this.#duplex,
      allowHalfOpen: true,
      // Past this mark the platform's TLS would still take all that comes, hide
      // it, and lose the end behind it. #pull() keeps it far from there.
      highWaterMark: 2 ** 30,
      host: hostname,
      // RFC 6066: an address is no server name.
      ...(isIP(hostname) === 0 && { servername: hostname }),
      secureContext: trusting(caCerts),
      ...(alpnProtocols && { ALPNProtocols: alpnProtocols }),
    };
    this.#socket = connect(options);
    this.#socket.on("secureConnect", () => {
      this.#secured = true;
      this.#tell();
    });
    this.#socket.on("readable", () => this.#tell());
    this.#socket.on("end", () => {
      this.#ended = true;
      this.#tell();
    });
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#tell());
  }

  /** Speaks TLS over `inner`, which it owns from then on, and finishes the handshake. */
  static async open(
    inner: ByteTransport,
    parameters: TlsParameters,
    signal: AbortSignal,
  ): Promise<TlsTransport> {
    const transport = await TlsTransport.#over(inner, parameters);
    using _ = onAbort(signal, () => transport.#fail(signal.reason));
    try {
      signal.throwIfAborted();
      while (!transport.#secured) {
        await transport.#news.promise;
        transport.#assertWhole();
        if (transport.#cut) throw truncated();
      }
      return transport;
    } catch (error) {
      await transport.abort(error);
      throw error;
    }
  }

  static async #over(
    inner: ByteTransport,
    parameters: TlsParameters,
  ): Promise<TlsTransport> {
    try {
      return new TlsTransport(inner, parameters);
    } catch (error) { // A hostname that is no text, for one.
      await inner.abort(error);
      throw error;
    }
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const news = this.#news.promise;
      const chunk: Buffer | null = this.#socket.read();
      if (chunk) {
        if (this.#held) this.#pull();
        return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
      }
      this.#assertWhole();
      if (this.#ended) return null;
      if (!this.#cut) {
        await news;
        continue;
      }
      // TLS has worked on all that came, but tells its end only after a read that
      // found nothing.
      await new Promise((resolve) => setTimeout(resolve));
      if (this.#ended) return null;
      this.#assertWhole();
      throw truncated();
    }
  }

  async write(data: Uint8Array): Promise<void> {
    // The platform's TLS fails at one of none.
    if (data.byteLength === 0) return;
    await this.#settle((done) => this.#socket.write(data, done));
  }

  closeWrite(): Promise<void> {
    return this.#ending ??= this.#settle((done) => this.#socket.end(done));
  }

  async close(): Promise<void> {
    try {
      await deadline(this.closeWrite(), END_TIMEOUT);
    } catch {
      // A peer that takes no end gets none.
    }
    this.#socket.destroy();
    this.#tell();
    await this.#inner.close();
  }

  async abort(reason: unknown): Promise<void> {
    this.#fail(reason);
    this.#socket.destroy();
    await this.#inner.abort(reason);
  }

  #makeDuplex(): Duplex {
    return new Duplex({
      allowHalfOpen: true,
      read: () => this.#pull(),
      write: (chunk: Uint8Array, _encoding, done) => {
        this.#inner.write(chunk).then(() => done(), (error) => {
          this.#fail(error);
          done(error);
        });
      },
      final: (done) => {
        this.#inner.closeWrite().then(() => done(), done);
      },
    });
  }

  async #pull(): Promise<void> {
    // The first call comes before connect() has returned the socket.
    this.#held = this.#socket?.readableLength >= MAX_UNREAD;
    if (this.#held) return;
    try {
      const chunk = await this.#inner.read();
      if (chunk !== null) {
        this.#duplex.push(
          Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength),
        );
        return;
      }
      this.#cut = true;
      this.#tell();
    } catch (error) {
      this.#fail(error);
    }
  }

  async #settle(
    start: (done: (error?: Error | null) => void) => void,
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    start((error) => error ? reject(error) : resolve());
    try {
      await promise;
    } catch (error) {
      this.#assertWhole(); // What the transport says of it tells more.
      throw error;
    }
  }

  #fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#tell();
  }

  #assertWhole(): void {
    if (this.#failure) throw this.#failure.reason;
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

/**
 * What is trusted: the platform's authorities, and these. The option `ca` of
 * `node:tls` would replace the platform's, and to list those takes
 * `--allow-sys`, and leaves out what `--cert` adds.
 */
function trusting(caCerts: readonly string[]): SecureContext {
  const secureContext = createSecureContext();
  const { context }: { context: { addCACert(pem: string): void } } =
    secureContext;
  for (const pem of caCerts) context.addCACert(pem);
  return secureContext;
}

function truncated(): ConnectionLostError {
  return new ConnectionLostError(
    "Cannot read as the stream ended without the close_notify of TLS",
  );
}
