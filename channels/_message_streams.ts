import type { Inbox } from "./_inbox.ts";

/** How many messages a channel's `readable` takes ahead of its reader. */
const READ_AHEAD = 256;

/** The parts of a channel that its other faces are made of. */
interface MessageDuplex {
  send(message: Uint8Array): Promise<void>;
  recv(): Promise<Uint8Array | null>;
  abort(reason?: unknown): void;
}

/** The messages of a channel as a stream. */
export function messageReadable(
  channel: MessageDuplex,
  inbox: Inbox,
  cancel: (reason: unknown) => Promise<void>,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const first = await channel.recv();
      if (first === null) return controller.close();
      controller.enqueue(first);
      // One pull for many messages: it costs several times as much as they do.
      for (let ahead = 1; ahead < READ_AHEAD; ahead++) {
        const message = inbox.take();
        if (message === undefined) return;
        controller.enqueue(message);
      }
    },
    cancel,
  }, { highWaterMark: 0 });
}

/** A stream that sends through a channel. */
export function messageWritable(
  channel: MessageDuplex,
  end: () => Promise<void>,
): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    write: (message) => channel.send(message),
    close: end,
    abort: (reason) => channel.abort(reason),
  });
}

/** The messages of a channel as an iterator, which `isOver` may end early. */
export function messageIterator(
  channel: MessageDuplex,
  isOver: () => boolean,
): AsyncIterableIterator<Uint8Array> {
  const iterator: AsyncIterableIterator<Uint8Array> = {
    async next() {
      try {
        const value = await channel.recv();
        return value === null ? END : { done: false, value };
      } catch (error) {
        if (isOver()) return END;
        throw error;
      }
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };
