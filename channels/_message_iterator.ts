import { handled } from "./_handled.ts";
import type { Link } from "./_link.ts";
import { type MessageSource, takeIntact } from "./_message_source.ts";

/** The messages of a channel as an iterator, which a local close ends. */
export function messageIterator(
  channel: MessageSource,
  link: Link,
): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
  const iterator: AsyncIterableIterator<Uint8Array<ArrayBuffer>> = {
    next() {
      // A message that is there costs one promise, and not an async call's three.
      const value = takeIntact(link);
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
): Promise<IteratorResult<Uint8Array<ArrayBuffer>>> {
  try {
    const value = await channel.recv();
    return value === null ? END : { done: false, value };
  } catch (error) {
    if (link.ending.closedLocally) return END;
    throw error;
  }
}

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };
