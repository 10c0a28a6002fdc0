import { DONE } from "./_handled.ts";
import type { Link } from "./_link.ts";

/** The part of a channel that its sending face is made of. */
interface MessageSink {
  send(message: Uint8Array): Promise<void>;
  abort(reason?: unknown): void;
}

/** What writers do past their stream. */
interface Bypass {
  /** Sends a message that may go before anything that the stream holds. */
  send(message: Uint8Array): Promise<void>;
  /** To be called when the stream is being closed: from then on it refuses all. */
  close(): void;
  readonly isOpen: boolean;
}

/** Of the messages that the stream itself holds it has room for one. */
const HIGH_WATER_MARK = 1;

/**
 * A stream that sends through a channel. A write to a stream of the platform
 * takes twice as long as to send a small message, so that its writers send past it
 * whatever the channel has room for. What has to wait, and what is refused, goes
 * through the stream, which then tells of it as any other does.
 */
export class MessageWritable extends WritableStream<Uint8Array> {
  readonly #bypass: Bypass;

  /**
   * @param channel Where the messages go.
   * @param link What runs it.
   */
  constructor(channel: MessageSink, link: Link) {
    let fail: (reason: unknown) => void;
    let closing = false;
    super({
      start(controller) {
        fail = (reason) => controller.error(reason);
        link.onFailure(fail);
      },
      write: (message) => channel.send(message),
      close() {
        closing = true;
        return link.endOutbound();
      },
      abort: (reason) => channel.abort(reason),
    }, new CountQueuingStrategy({ highWaterMark: HIGH_WATER_MARK }));
    this.#bypass = {
      send(message) {
        const sent = channel.send(message);
        if (sent !== DONE) sent.catch(fail); // As a write that fails does.
        return sent;
      },
      close: () => closing = true,
      get isOpen() {
        return !closing && link.outbox.hasRoom;
      },
    };
  }

  override getWriter(): WritableStreamDefaultWriter<Uint8Array> {
    return new MessageWriter(this, this.#bypass);
  }

  override close(): Promise<void> {
    if (!this.locked) this.#bypass.close();
    return super.close();
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
    return this.#bypass.isOpen && isIdle(this)
      ? this.#bypass.send(message)
      : super.write(message);
  }

  override close(): Promise<void> {
    this.#bypass.close();
    return super.close();
  }
}

function isIdle(writer: WritableStreamDefaultWriter): boolean {
  try {
    return writer.desiredSize === HIGH_WATER_MARK;
  } catch {
    return false; // It was released.
  }
}
