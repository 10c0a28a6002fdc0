import { accessOf, type ByteStream } from "./byte_stream.ts";
import type { ByteTransport } from "./byte_transport.ts";

/** A transport over another stream of ours, without a copy. */
export class StreamTransport implements ByteTransport {
  readonly #stream: ByteStream;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #write: (data: Uint8Array) => Promise<void>;
  #into: Uint8Array | undefined;

  constructor(stream: ByteStream) {
    this.#stream = stream;
    this.#reader = stream.readable.getReader();
    this.#reader.closed.catch(() => {}); // The read that failed tells.
    const access = accessOf(stream);
    this.#write = access.takeWriter();
    access.lendMemory(() => {
      const into = this.#into;
      this.#into = undefined;
      return into;
    });
  }

  async read(into?: Uint8Array): Promise<Uint8Array | null> {
    this.#into = into;
    const { done, value } = await this.#reader.read();
    return done ? null : value;
  }

  write(data: Uint8Array): Promise<void> {
    return this.#write(data);
  }

  closeWrite(): Promise<void> {
    return this.#stream.closeWrite();
  }

  close(): Promise<void> {
    return this.#stream.close();
  }

  abort(reason: unknown): void {
    this.#stream.abort(reason);
  }
}
