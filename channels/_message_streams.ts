import { handled } from "./_handled.ts";
import type { Link } from "./_link.ts";

/** How many messages a channel's `readable` takes ahead of its reader at most ... */
const MAX_AHEAD = 256;
/** ... and the bytes after which it takes no more: inflated ones may be large. */
const BYTES_AHEAD = 65_536;

/** The part of a channel that its receiving faces are made of. */
interface MessageSource {
  recv(): Promise<Uint8Array | null>;
}

/** The messages of a channel as a stream. */
export function messageReadable(
  channel: MessageSource,
  link: Link,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      link.ending.onFailure((reason) => {
        // What came before is still read; the read after it tells the reason.
        const empty = controller.desiredSize === 0 && link.inbox.isEmpty;
        if (empty) controller.error(reason);
      });
    },
    async pull(controller) {
      const first = await channel.recv();
      if (first === null) return controller.close();
      controller.enqueue(first);
      // One pull for many messages: it costs several times as much as they do.
      let bytes = first.byteLength;
      for (let ahead = 1; ahead < MAX_AHEAD && bytes < BYTES_AHEAD; ahead++) {
        const message = takeSound(link);
        if (message === undefined) return;
        controller.enqueue(message);
        bytes += message.byteLength;
      }
    },
    cancel: (reason) => link.cancelInbound(reason),
  }, { highWaterMark: 0 });
}

/** The next message if it is there and sound: what cannot be inflated fails the channel. */
function takeSound({ inbox }: Link): Uint8Array | undefined {
  try {
    return inbox.take();
  } catch {
    return undefined; // To throw here would drop the messages before it.
  }
}

/** The messages of a channel as an iterator, which a local close ends. */
export function messageIterator(
  channel: MessageSource,
  link: Link,
): AsyncIterableIterator<Uint8Array> {
  const iterator: AsyncIterableIterator<Uint8Array> = {
    next() {
      // A message that is there costs one promise, and not an async call's three.
      const value = takeSound(link);
      return value === undefined
        ? handled(nextOf(channel, link))
        : Promise.resolve({ done: false, value });
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

async function nextOf(
  channel: MessageSource,
  link: Link,
): Promise<IteratorResult<Uint8Array>> {
  try {
    const value = await channel.recv();
    return value === null ? END : { done: false, value };
  } catch (error) {
    if (link.ending.closedLocally) return END;
    throw error;
  }
}

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };
