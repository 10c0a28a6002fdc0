import type { Link } from "./_link.ts";

/** The part of a channel that its receiving faces are made of. */
export interface MessageSource {
  recv(): Promise<Uint8Array<ArrayBuffer> | null>;
}

/** The next message if it is there and sound: what cannot be inflated fails the channel. */
export function takeIntact(
  { inbox }: Link,
): Uint8Array<ArrayBuffer> | undefined {
  try {
    return inbox.take();
  } catch {
    return undefined; // What was taken before it is not lost: the next call tells.
  }
}
