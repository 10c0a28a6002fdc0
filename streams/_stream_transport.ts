import type { ChunkSink, ChunkSource, Lender } from "./_chunks.ts";
import { type ByteStream, directionsOf } from "./byte_stream.ts";
import type { ByteTransport } from "./byte_transport.ts";

/** A transport over another stream of ours, without a copy. */
export class StreamTransport implements ByteTransport, Lender {
  readonly #stream: ByteStream;
  readonly #reader: ChunkSource;
  readonly #writer: ChunkSink;
  /** What our own reader has asked for. */
  #into: Uint8Array | undefined;

  constructor(stream: ByteStream) {
    this.#stream = stream;
    const { inbound, outbound } = directionsOf(stream);
    this.#reader = inbound.take();
    this.#writer = outbound.take();
    inbound.lendMemory(this);
  }

  lend(): Uint8Array | undefined {
    const into = this.#into;
    this.#into = undefined;
    return into;
  }

  async read(into?: Uint8Array): Promise<Uint8Array | null> {
    this.#into = into;
    return await this.#reader.next() ?? null;
  }

  write(data: Uint8Array): Promise<void> {
    return this.#writer.write(data);
  }

  closeWrite(): Promise<void> {
    return this.#stream.closeWrite();
  }

  close(): Promise<void> {
    return this.#stream.close();
  }

  async abort(reason: unknown): Promise<void> {
    this.#stream.abort(reason);
    await this.#stream.finished;
  }
}
