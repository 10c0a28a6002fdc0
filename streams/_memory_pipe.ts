import { ConnectionLostError } from "../errors.ts";
import { ByteQueue } from "./_byte_queue.ts";
import type { ByteTransport } from "./byte_transport.ts";

/** Small writes share blocks of this size, in bytes; it is what a kept small chunk keeps alive. */
const BLOCK_SIZE = 4096;

/**
 * One direction of a pair in memory: a buffer of at most `capacity` bytes, with
 * one reader and one writer. Bytes are copied in, and handed out as views, each
 * once.
 */
class MemoryPipe {
  readonly #capacity: number;
  /** What is buffered, except for the unread part of the block being filled. */
  readonly #full = new ByteQueue();
  #block = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #over = false;
  #failure: { readonly reason: unknown } | undefined;
  /** Settles the read, or the write, that waits. */
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const chunk = this.#take();
      if (chunk) {
        this.#wakeWriter?.();
        return chunk;
      }
      if (this.#failure) throw this.#failure.reason;
      if (this.#over) return null;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
      this.#wakeReader = undefined;
    }
  }

  async write(data: Uint8Array): Promise<void> {
    for (let written = 0;;) {
      if (this.#failure) throw this.#failure.reason;
      const room = this.#capacity - this.#size;
      if (data.byteLength - written <= room) {
        this.#put(written === 0 ? data : data.subarray(written));
        return;
      }
      if (room > 0) this.#put(data.subarray(written, written += room));
      await new Promise<void>((resolve) => this.#wakeWriter = resolve);
      this.#wakeWriter = undefined;
    }
  }

  /** The reader gets what is buffered and then the end; a part of a write is a failure. */
  end(): void {
    if (this.#wakeWriter) {
      return this.fail(
        new ConnectionLostError(
          "Cannot read as the peer closed the stream within a write",
        ),
      );
    }
    this.#over = true;
    this.#wakeReader?.();
  }

  /** The reader gets what is buffered and then `reason`, the writer `reason`. */
  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  /** Forgets what is buffered. */
  clear(): void {
    this.#full.clear();
    this.#start = this.#end;
  }

  get #size(): number {
    return this.#full.size + this.#end - this.#start;
  }

  #put(data: Uint8Array): void {
    const { byteLength } = data;
    if (byteLength === 0) return;
    if (byteLength > this.#block.byteLength - this.#end) {
      if (this.#end > this.#start) this.#full.push(this.#takeBlock());
      if (byteLength >= BLOCK_SIZE / 2) {
        // Too large to share a block. (The slice() of Node's Buffer is no copy.)
        this.#full.push(new Uint8Array(data));
        this.#wakeReader?.();
        return;
      }
      this.#block = new Uint8Array(BLOCK_SIZE);
      this.#start = this.#end = 0;
    }
    this.#block.set(data, this.#end);
    this.#end += byteLength;
    this.#wakeReader?.();
  }

  #take(): Uint8Array | undefined {
    return this.#full.shift() ??
      (this.#end > this.#start ? this.#takeBlock() : undefined);
  }

  #takeBlock(): Uint8Array<ArrayBuffer> {
    const chunk = this.#block.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return chunk;
  }
}

/** One end of a pair in memory. */
class MemoryTransport implements ByteTransport {
  readonly #inbound: MemoryPipe;
  readonly #outbound: MemoryPipe;

  constructor(inbound: MemoryPipe, outbound: MemoryPipe) {
    this.#inbound = inbound;
    this.#outbound = outbound;
  }

  read(): Promise<Uint8Array | null> {
    return this.#inbound.read();
  }

  write(data: Uint8Array): Promise<void> {
    return this.#outbound.write(data);
  }

  closeWrite(): Promise<void> {
    this.#outbound.end();
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#outbound.end();
    this.#refuse("closed");
    return Promise.resolve();
  }

  abort(): void {
    this.#outbound.clear();
    this.#outbound.fail(
      new ConnectionLostError("Cannot read as the peer aborted the stream"),
    );
    this.#refuse("aborted");
  }

  #refuse(how: string): void {
    this.#inbound.clear();
    this.#inbound.fail(
      new ConnectionLostError(`Cannot write as the peer ${how} the stream`),
    );
  }
}

/** The two ends of a pair in memory, with a buffer of `capacity` bytes each way. */
export function memoryTransports(
  capacity: number,
): [ByteTransport, ByteTransport] {
  const there = new MemoryPipe(capacity);
  const back = new MemoryPipe(capacity);
  return [
    new MemoryTransport(back, there),
    new MemoryTransport(there, back),
  ];
}
