import type { SignalOptions } from "../streams/byte_stream.ts";
import type { SocketStream } from "../streams/socket_stream.ts";
import type { Acceptor } from "./_acceptor.ts";
import { publishAccept, publishEnd } from "./_monitoring.ts";
import { openAcceptor } from "./_open_acceptor.ts";
import { reporter } from "./_reporter.ts";
import type {
  ListenOptions,
  ListenTcpOptions,
  ListenTlsOptions,
  ListenUnixOptions,
} from "./listen_options.ts";
import type { StreamListener } from "./stream_listener.ts";

/**
 * Listens for connections on TCP, TLS or a Unix socket.
 *
 * It needs `--allow-net`, for certificates `--allow-read` of their files, and for
 * a Unix socket `--allow-read` and `--allow-write` of its path.
 *
 * @param options Where to listen, and how.
 * @throws {TypeError} if an option does not belong to the transport or cannot be
 * honoured, such as one about client certificates.
 * @throws {Deno.errors.AddrInUse} if somebody listens there already.
 *
 * @example
 * ```ts
 * import { createSocketStream, listen } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * using listener = listen({ port: 0 });
 * const { port } = listener.addr;
 * await using client = await createSocketStream("127.0.0.1", port);
 * await client.write(new Uint8Array([7]));
 *
 * for await (const stream of listener) {
 *   assertEquals(await stream.read(1), new Uint8Array([7]));
 *   await stream.close();
 *   break;
 * }
 * ```
 */
export function listen(
  options: ListenTcpOptions | ListenTlsOptions,
): StreamListener<Deno.NetAddr>;
/** Listens for connections on a Unix socket. */
export function listen(
  options: ListenUnixOptions,
): StreamListener<Deno.UnixAddr>;
/** Listens for connections on TCP, TLS or a Unix socket. */
export function listen(options: ListenOptions): StreamListener;
export function listen(options: ListenOptions): StreamListener {
  const onError = reporter(options.onError);
  return new AcceptorListener(
    openAcceptor(options, { onError, maxConnections: Infinity }),
  );
}

/** An acceptor whose connections are announced. */
class AcceptorListener implements StreamListener {
  readonly #acceptor: Acceptor;

  constructor(acceptor: Acceptor) {
    this.#acceptor = acceptor;
  }

  get addr(): Deno.Addr {
    return this.#acceptor.addr;
  }

  async accept({ signal }: SignalOptions = {}): Promise<SocketStream> {
    const stream = await this.#acceptor.accept(signal);
    publishAccept(stream.info);
    publishEnd("server", stream.info, stream.finished);
    return stream;
  }

  close(): void {
    this.#acceptor.close();
  }

  ref(): void {
    this.#acceptor.ref();
  }

  unref(): void {
    this.#acceptor.unref();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SocketStream> {
    try {
      while (!this.#acceptor.closed) {
        let stream: SocketStream;
        try {
          stream = await this.accept();
        } catch {
          return; // It was closed: nothing else ends an accept.
        }
        yield stream;
      }
    } finally {
      this.close();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#acceptor.release();
  }
}
