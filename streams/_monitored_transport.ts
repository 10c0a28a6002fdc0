import type { ByteTransport } from "./byte_transport.ts";

/** Told of each chunk that has gone through. */
export interface Meter {
  received(data: Uint8Array): void;
  sent(data: Uint8Array): void;
}

/** Tells a meter what goes through the transport below. */
export class MonitoredTransport implements ByteTransport {
  readonly #below: ByteTransport;
  readonly #meter: Meter;

  constructor(below: ByteTransport, meter: Meter) {
    this.#below = below;
    this.#meter = meter;
  }

  async read(into?: Uint8Array): Promise<Uint8Array | null> {
    const chunk = await this.#below.read(into);
    if (chunk) this.#meter.received(chunk);
    return chunk;
  }

  async write(data: Uint8Array): Promise<void> {
    await this.#below.write(data);
    this.#meter.sent(data);
  }

  closeWrite(): Promise<void> {
    return this.#below.closeWrite();
  }

  close(): Promise<void> {
    return this.#below.close();
  }

  async abort(reason: unknown): Promise<void> {
    await this.#below.abort(reason);
  }
}
