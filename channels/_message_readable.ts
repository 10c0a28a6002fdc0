import { handled } from "./_handled.ts";
import type { Link } from "./_link.ts";
import { type MessageSource, takeIntact } from "./_message_source.ts";

/** How many messages the stream takes ahead of its reader at most ... */
const MAX_AHEAD = 256;
/** ... and the bytes after which it takes no more: inflated ones may be large. */
const BYTES_AHEAD = 65_536;

/** What readers do past their stream. */
interface Bypass {
  /** The next message, if it is there and the stream neither holds nor awaits one. */
  take(): Uint8Array<ArrayBuffer> | undefined;
}

/**
 * The messages of a channel as a stream. A read from a stream of the platform takes
 * twice as long as to receive a small message, so that its readers take past it what
 * is there. What has to be waited for, the end and a failure come through the
 * stream, as does everything for `pipeTo()` and the like.
 */
export class MessageReadable extends ReadableStream<Uint8Array<ArrayBuffer>> {
  readonly #bypass: Bypass;

  /**
   * @param channel Where the messages come from.
   * @param link What runs it.
   */
  constructor(channel: MessageSource, link: Link) {
    let controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
    let pulling = false;
    super({
      start(given) {
        controller = given;
        link.ending.onFailure((reason) => {
          // What came before is still read, also by the pull that is under way; the
          // read after it tells the reason.
          const isEmpty = controller.desiredSize === 0 && link.inbox.isEmpty &&
            !pulling;
          if (isEmpty || link.ending.aborted) controller.error(reason);
        });
      },
      async pull() {
        pulling = true;
        try {
          const first = await channel.recv();
          if (first === null) return controller.close();
          controller.enqueue(first);
          // One pull for many messages: it costs several times as much as they do.
          let bytes = first.byteLength;
          for (
            let ahead = 1;
            ahead < MAX_AHEAD && bytes < BYTES_AHEAD;
            ahead++
          ) {
            const message = takeIntact(link);
            if (message === undefined) return;
            controller.enqueue(message);
            bytes += message.byteLength;
          }
        } finally {
          pulling = false;
        }
      },
      cancel: (reason) => link.cancelInbound(reason),
    }, { highWaterMark: 0 });
    this.#bypass = {
      take: () =>
        pulling || controller.desiredSize !== 0 ? undefined : takeIntact(link),
    };
  }

  override getReader(options: { mode: "byob" }): ReadableStreamBYOBReader;
  override getReader(
    options?: ReadableStreamGetReaderOptions,
  ): ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  override getReader(
    options?: ReadableStreamGetReaderOptions,
  ): ReadableStreamReader<Uint8Array<ArrayBuffer>> {
    // With any options it is the platform's own, or its refusal.
    return options === undefined || options === null
      ? new MessageReader(this, this.#bypass)
      : super.getReader(options);
  }

  // Whoever does not await these sees no rejection, and the process goes on.

  override cancel(reason?: unknown): Promise<void> {
    return handled(super.cancel(reason));
  }

  override pipeTo(
    destination: WritableStream<Uint8Array<ArrayBuffer>>,
    options?: StreamPipeOptions,
  ): Promise<void> {
    return handled(super.pipeTo(destination, options));
  }
}

/** A reader of a {@linkcode MessageReadable}. */
class MessageReader
  extends ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> {
  readonly #bypass: Bypass;
  #released = false;
  /** How many reads wait for the stream. */
  #waiting = 0;
  readonly #onRead = (): void => {
    this.#waiting--;
  };

  constructor(stream: MessageReadable, bypass: Bypass) {
    super(stream);
    this.#bypass = bypass;
  }

  override read(): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>> {
    const passes = this.#waiting === 0 && !this.#released;
    const value = passes ? this.#bypass.take() : undefined;
    if (value !== undefined) return Promise.resolve({ done: false, value });
    const result = super.read();
    this.#waiting++;
    result.then(this.#onRead, this.#onRead); // Which marks it as handled, too.
    return result;
  }

  override releaseLock(): void {
    super.releaseLock();
    this.#released = true;
  }

  override cancel(reason?: unknown): Promise<void> {
    return handled(super.cancel(reason));
  }
}
