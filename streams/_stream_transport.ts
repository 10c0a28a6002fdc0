import { accessOf, type ByteStream } from "./byte_stream.ts";
import type { ByteTransport } from "./byte_transport.ts";

/** A transport over another stream of ours, without a copy. */
export class StreamTransport implements ByteTransport {
  readonly #stream: ByteStream;
  readonly #read: () => Promise<Uint8Array | undefined>;
  readonly #write: (data: Uint8Array) => Promise<void>;
  #into: Uint8Array | undefined;

  constructor(stream: ByteStream) {
    this.#stream = stream;
    const access = accessOf(stream);
    access.assertUnlocked("wrap the stream");
    this.#read = access.takeReader().next;
    this.#write = access.takeWriter();
    access.lendMemory(() => {
      const into = this.#into;
      this.#into = undefined;
      return into;
    });
  }

  async read(into?: Uint8Array): Promise<Uint8Array | null> {
    this.#into = into;
    return await this.#read() ?? null;
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
