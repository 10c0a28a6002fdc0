import { ConnectionLostError } from "../../errors.ts";
import { openTcp } from "../_connect.ts";
import { isLasting } from "../_establish.ts";
import { onAbort } from "../_on_abort.ts";
import { describe } from "../_stream_error.ts";
import { authorityOf } from "./target.ts";

/** Where a proxy listens. */
export interface ProxyAddress {
  /** Host name or IP address of the proxy. */
  host: string;
  /** Port of the proxy, 1 to 65535. */
  port: number;
}

/** Options of the socket to the proxy. */
export interface ProxySocketOptions {
  /** Whether small writes leave at once. */
  noDelay?: boolean;
  /** Whether the system probes an idle connection. */
  keepAlive?: boolean;
}

/**
 * The conversation with a proxy before the tunnel is open. It takes exactly what
 * it is asked for from the socket, so that what the target sends right behind
 * the proxy's answer is left for the stream, or for TLS.
 */
export class ProxyConversation {
  readonly #conn: Deno.TcpConn;
  readonly #prefix: string;
  #offset = 0;

  constructor(conn: Deno.TcpConn, action: string) {
    this.#conn = conn;
    this.#prefix = `Cannot ${action} as`;
  }

  /** How many bytes of the proxy were read. */
  get offset(): number {
    return this.#offset;
  }

  /** The text of an error. */
  because(reason: string): string {
    return `${this.#prefix} ${reason}`;
  }

  /** The next `count` bytes of the proxy. */
  async read(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    for (let filled = 0; filled < count;) {
      const read = await this.#conn.read(bytes.subarray(filled));
      if (read === null) {
        throw new ConnectionLostError(
          this.because(
            `the proxy closed the connection after ${this.#offset} bytes of its answer`,
          ),
          { received: filled, expected: count },
        );
      }
      filled += read;
      this.#offset += read;
    }
    return bytes;
  }

  /** Sends all of `data`. */
  async write(data: Uint8Array): Promise<void> {
    for (let written = 0; written < data.byteLength;) {
      written += await this.#conn.write(data.subarray(written));
    }
  }
}

/**
 * Connects to a proxy and has `agree` ask it for the tunnel, at whose end the
 * connection then is.
 */
export async function openThroughProxy(
  proxy: ProxyAddress,
  action: string,
  agree: (conversation: ProxyConversation) => Promise<void>,
  options: ProxySocketOptions,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  const conn = await reach(proxy, action, options, signal);
  // A proxy that hangs leaves the read pending for ever: closing it ends that.
  const close = () => conn[Symbol.dispose]();
  using _ = onAbort(signal, close);
  try {
    signal.throwIfAborted();
    await agree(new ProxyConversation(conn, action));
    return conn;
  } catch (error) {
    close();
    throw error;
  }
}

async function reach(
  proxy: ProxyAddress,
  action: string,
  options: ProxySocketOptions,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  try {
    return await openTcp(proxy.host, proxy.port, options, signal);
  } catch (error) {
    if (isLasting(error)) throw error;
    throw new ConnectionLostError(
      `Cannot ${action} as the proxy at ${
        authorityOf(proxy)
      } cannot be reached: ${describe(error)}`,
      { cause: error },
    );
  }
}
