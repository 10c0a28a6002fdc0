import { ByteStream, type ByteTransport } from "@sluice/sluice/streams";

/** A transport that a test drives, and that notes what is asked of it. */
export class ScriptedTransport implements ByteTransport {
  /** What was called, in order. */
  readonly calls: string[] = [];
  /** What was written, one copy for each write. */
  readonly written: Uint8Array[] = [];
  /** What the calls wait for, by name. */
  readonly gates: Partial<Record<keyof ByteTransport, Promise<unknown>>> = {};
  /** What reads give; a read waits while there is none. */
  readonly #chunks: (Uint8Array | null)[] = [];
  #wake: (() => void) | undefined;

  push(...chunks: (Uint8Array | null)[]): void {
    this.#chunks.push(...chunks);
    this.#wake?.();
  }

  async read(): Promise<Uint8Array | null> {
    this.calls.push("read");
    await this.gates.read;
    while (this.#chunks.length === 0) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#chunks.shift()!;
  }

  async write(data: Uint8Array): Promise<void> {
    this.calls.push("write");
    await this.gates.write;
    this.written.push(data.slice());
  }

  async closeWrite(): Promise<void> {
    this.calls.push("closeWrite");
    await this.gates.closeWrite;
  }

  async close(): Promise<void> {
    this.calls.push("close");
    await this.gates.close;
    this.push(null);
  }

  abort(): void {
    this.calls.push("abort");
    this.push(null);
  }
}

/** A stream over one of these. */
export class ScriptedStream extends ByteStream {
  constructor(transport: ByteTransport) {
    super(transport, { transport: "script" });
  }
}

/** A gate that fails whoever comes to it. */
export function failing(reason: unknown): Promise<never> {
  const gate = Promise.reject(reason);
  gate.catch(() => {});
  return gate;
}
