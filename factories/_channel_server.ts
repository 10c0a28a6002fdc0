import { abortable } from "jsr:@std/async@^1.5.0/abortable";
import type { Channel } from "../channels/channel.ts";
import { StreamClosedError } from "../errors.ts";
import { onAbort } from "../streams/_on_abort.ts";
import { describe } from "../streams/_stream_error.ts";
import { timeLimit } from "../streams/_time_limit.ts";
import type { StreamInfo } from "../streams/byte_stream.ts";
import type { SocketStream } from "../streams/socket_stream.ts";
import type { Acceptor } from "./_acceptor.ts";
import type { ChannelSettings } from "./channel_settings.ts";
import { publishAccept, publishEnd } from "./_monitoring.ts";
import { openChannel } from "./_open_channel.ts";
import type { ErrorInfo } from "./error_info.ts";
import type { ServeHandler } from "./serve_options.ts";
import type { Server } from "./server.ts";

/** What a server is told, with every default filled in. */
export interface ChannelServerOptions {
  readonly settings: ChannelSettings;
  readonly signal: AbortSignal | undefined;
  readonly onError: (error: unknown, info: ErrorInfo) => void;
  readonly shutdownTimeout: number;
}

/** The accept loop of `serve`, and the conversations that it has started. */
export class ChannelServer implements Server {
  readonly finished: Promise<void>;

  readonly #acceptor: Acceptor;
  readonly #handler: ServeHandler;
  readonly #options: ChannelServerOptions;
  readonly #conversations = new Set<Promise<void>>();
  /** Aborts when nothing new is begun: the handlers learn of it. */
  readonly #draining = new AbortController();
  /** Aborts when nobody is waited for any more. */
  readonly #ending = new AbortController();

  constructor(
    acceptor: Acceptor,
    handler: ServeHandler,
    options: ChannelServerOptions,
  ) {
    this.#acceptor = acceptor;
    this.#handler = handler;
    this.#options = options;
    this.finished = this.#run();
  }

  get addr(): Deno.Addr {
    return this.#acceptor.addr;
  }

  shutdown(): Promise<void> {
    this.#drain();
    return this.finished;
  }

  ref(): void {
    this.#acceptor.ref();
  }

  unref(): void {
    this.#acceptor.unref();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  async #run(): Promise<void> {
    const { signal } = this.#options;
    const abort = () => {
      this.#ending.abort(signal?.reason);
      this.#drain();
    };
    using _watch = signal && onAbort(signal, abort);
    if (signal?.aborted) abort();
    await this.#acceptAll();
    const { shutdownTimeout } = this.#options;
    using _limit = timeLimit(
      shutdownTimeout,
      `Cannot wait for the handler as the shutdown took longer than ${shutdownTimeout} ms`,
      (error) => this.#ending.abort(error),
    );
    await Promise.all([this.#acceptor.release(), ...this.#conversations]);
  }

  async #acceptAll(): Promise<void> {
    const { signal } = this.#draining;
    for (;;) {
      try {
        this.#begin(await this.#acceptor.accept(signal));
      } catch { // It was closed: nothing else ends an accept.
        return;
      }
    }
  }

  /** Ends accepting. */
  #drain(): void {
    if (this.#draining.signal.aborted) return;
    this.#draining.abort(new StreamClosedError("Server is shutting down"));
    this.#acceptor.close();
  }

  #begin(stream: SocketStream): void {
    const conversation = this.#converse(stream).finally(() => {
      this.#conversations.delete(conversation);
      this.#acceptor.vacate();
    });
    this.#conversations.add(conversation);
  }

  /** Serves one connection to its end. It never rejects. */
  async #converse(stream: SocketStream): Promise<void> {
    const { settings, onError } = this.#options;
    const { info } = stream;
    let channel: Channel;
    try {
      const { signal } = this.#draining;
      channel = await openChannel(stream, "responder", settings, signal);
    } catch (error) {
      // That we gave up on it is no failure of it.
      if (!this.#draining.signal.aborted) {
        onError(error, { phase: "handshake", info });
      }
      return;
    }
    publishAccept(info, channel);
    publishEnd("server", info, channel.finished, channel);
    await this.#handle(channel, info);
    await stream.finished;
  }

  async #handle(channel: Channel, info: StreamInfo): Promise<void> {
    const { signal } = this.#draining;
    const ending = this.#ending.signal;
    try {
      try {
        const handling = async () =>
          await this.#handler(channel, { ...info, signal });
        await abortable(handling(), ending);
      } catch (error) {
        // It passed our signal on, and ended between two messages.
        if (!signal.aborted || error !== signal.reason) throw error;
      }
      await abortable(channel.close(), ending);
    } catch (error) {
      if (ending.aborted) return channel.abort(error);
      const phase = await this.#isOwn(error, channel)
        ? "connection"
        : "handler";
      this.#options.onError(error, { phase, info });
      // It may be the failure of another connection, and is none of this one.
      channel.abort(
        new StreamClosedError(
          `Channel was aborted as its handler failed: ${describe(error)}`,
          { cause: error },
        ),
      );
    }
  }

  /** Whether `error` is the failure of `channel`, which may still be closing. */
  async #isOwn(error: unknown, channel: Channel): Promise<boolean> {
    if (!channel.closed) return false;
    try {
      const { signal } = this.#ending;
      return await abortable(channel.finished, signal) === error;
    } catch { // Nobody is waited for any more.
      return false;
    }
  }
}
