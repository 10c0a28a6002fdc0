/**
 * What the tests of the factories share.
 *
 * @module
 */

import { assert } from "@std/assert";
import { join } from "@std/path/join";
import type { Channel } from "@sluice/sluice";

/** A path for a Unix socket, in a folder that disposal removes. */
export async function socketPath(): Promise<
  AsyncDisposable & { path: string }
> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_" });
  return {
    path: join(folder, "socket"),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** Sends back what it receives. */
export async function echo(channel: Channel): Promise<void> {
  for await (const message of channel) await channel.send(message);
}

/** Text as a message. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A message as text. */
export function text(message: Uint8Array | null): string | null {
  return message && new TextDecoder().decode(message);
}

/** Sends a message and gives the answer. */
export async function ask(
  channel: Channel,
  question: string,
): Promise<string | null> {
  await channel.send(bytes(question));
  return text(await channel.recv());
}

/** A list that one can wait on. */
export class Log<T> {
  /** What was added so far. */
  readonly items: T[] = [];
  #waiters: (() => void)[] = [];

  /** Appends an item. */
  add(item: T): void {
    this.items.push(item);
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  /** The item at `index`, from the end if that is negative; fails if there is none. */
  at(index: number): T {
    const item = this.items.at(index);
    assert(item !== undefined, `there is no item ${index}`);
    return item;
  }

  /** The items, once there are `count`. */
  atLeast(count: 1): Promise<[T, ...T[]]>;
  atLeast(count: 2): Promise<[T, T, ...T[]]>;
  atLeast(count: number): Promise<T[]>;
  async atLeast(count: number): Promise<T[]> {
    while (this.items.length < count) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    return this.items;
  }
}
