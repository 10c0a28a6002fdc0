import { handled } from "./_handled.ts";
import type { Link } from "./_link.ts";

/** The parts of a channel that its sending face is made of. */
interface MessageSink {
  send(message: Uint8Array): Promise<void>;
  /** Whether `send()` would reject at once. */
  refuses(message: Uint8Array): boolean;
  abort(reason?: unknown): void;
}

/** What writers do past their stream. */
interface Bypass {
  /** Whether a message may go now, if the stream holds nothing. */
  takes(message: Uint8Array): boolean;
  send(message: Uint8Array): Promise<void>;
  /** To be called when the stream is being closed: from then on it refuses all. */
  close(): void;
}

/** Of the messages that the stream itself holds it has room for one. */
const HIGH_WATER_MARK = 1;

/**
 * A stream that sends through a channel. A write to a stream of the platform
 * takes twice as long as to send a small message, so that its writers send past it
 * whatever the channel has room for. What has to wait, and what is refused, goes
 * through the stream, which then tells of it like every other.
 */
export class MessageWritable extends WritableStream<Uint8Array> {
  readonly #bypass: Bypass;

  /**
   * @param channel Where the messages go.
   * @param link What runs it.
   */
  constructor(channel: MessageSink, link: Link) {
    let open = false;
    let closed = false;
    super({
      start(controller) {
        link.ending.onFailure((reason) => controller.error(reason));
        const { signal } = controller;
        // The sink's own abort() would wait for a message that is stuck. The abort
        // that is being asked for has to be under way before the channel fails.
        signal.addEventListener(
          "abort",
          () => queueMicrotask(() => channel.abort(signal.reason)),
        );
        // Until the stream has started, it does not tell of a close.
        queueMicrotask(() => queueMicrotask(() => open = true));
      },
      write: (message) => channel.send(message),
      close() {
        closed = true;
        return link.endOutbound();
      },
    }, new CountQueuingStrategy({ highWaterMark: HIGH_WATER_MARK }));
    this.#bypass = {
      takes: (message) =>
        open && !closed && link.outbox.hasRoom && !channel.refuses(message),
      send: (message) => channel.send(message),
      close: () => closed = true,
    };
  }

  override getWriter(): WritableStreamDefaultWriter<Uint8Array> {
    return new MessageWriter(this, this.#bypass);
  }

  override close(): Promise<void> {
    if (!this.locked) this.#bypass.close();
    return handled(super.close());
  }

  override abort(reason?: unknown): Promise<void> {
    return handled(super.abort(reason));
  }
}

/** A writer of a {@linkcode MessageWritable}. */
class MessageWriter extends WritableStreamDefaultWriter<Uint8Array> {
  readonly #bypass: Bypass;

  constructor(stream: MessageWritable, bypass: Bypass) {
    super(stream);
    this.#bypass = bypass;
  }

  override write(message: Uint8Array): Promise<void> {
    // The stream is ours and sound, and it holds nothing.
    return roomOf(this) === HIGH_WATER_MARK && this.#bypass.takes(message)
      ? this.#bypass.send(message)
      : handled(super.write(message));
  }

  override close(): Promise<void> {
    if (roomOf(this) !== undefined) this.#bypass.close();
    return handled(super.close());
  }

  override abort(reason?: unknown): Promise<void> {
    return handled(super.abort(reason));
  }
}

/** How many messages its stream has room for, `null` if it has failed; nothing if it was released. */
function roomOf(
  writer: WritableStreamDefaultWriter,
): number | null | undefined {
  try {
    return writer.desiredSize;
  } catch {
    return undefined;
  }
}
