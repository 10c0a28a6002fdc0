/** How many places of items taken are kept before they are cleared away. */
const MIN_WASTE = 1024;

/** A queue whose `shift` takes constant time however long it is, unlike an array's. */
export class Fifo<T> {
  /** Made at the first push: of the many queues of a channel most are never used. */
  #items: (T | undefined)[] = NONE;
  #head = 0;

  /** How many items are queued. */
  get size(): number {
    return this.#items.length - this.#head;
  }

  /** The first item, which stays; `undefined` if there is none. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  /** Appends an item. */
  push(item: T): void {
    if (this.#items === NONE) this.#items = [];
    this.#items.push(item);
  }

  /** Puts an item before all others; that takes time for each of them. */
  unshift(item: T): void {
    this.#items = [item, ...this.clear()];
  }

  /** Removes the first item; `undefined` if there is none. */
  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined; // So that it can be collected.
    if (this.#head === this.#items.length) {
      this.#items.length = this.#head = 0;
    } else if (
      this.#head >= MIN_WASTE && this.#head * 2 >= this.#items.length
    ) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Puts `item` in the place of the first, which there must be. */
  replaceFirst(item: T): void {
    this.#items[this.#head] = item;
  }

  /** Removes `item`, wherever it is. */
  remove(item: T): void {
    const index = this.#items.indexOf(item, this.#head);
    if (index >= 0) this.#items.splice(index, 1);
  }

  /** Removes and returns all items. */
  clear(): T[] {
    const items = this.#items.slice(this.#head) as T[];
    this.#items = NONE;
    this.#head = 0;
    return items;
  }
}

const NONE: never[] = [];
