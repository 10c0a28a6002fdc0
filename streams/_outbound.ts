import { abortable } from "jsr:@std/async@^1.5.0/abortable";
import { StreamClosedError } from "../errors.ts";
import type { ChunkSink } from "./_chunks.ts";
import { onAbort } from "./_on_abort.ts";
import type { Lifecycle } from "./_lifecycle.ts";
import { toStreamError } from "./_stream_error.ts";
import type { ByteTransport } from "./byte_transport.ts";

/** The outbound direction of a stream: its writes in turn, and its end. */
export class Outbound implements ChunkSink {
  readonly #transport: ByteTransport;
  readonly #life: Lifecycle;
  #writable: WritableStream<Uint8Array> | undefined;
  #controller: WritableStreamDefaultController | undefined;
  /** Whether somebody writes past the web stream for good. */
  #taken = false;

  /** Settles when the last accepted write has; it never rejects. */
  #lastWrite: Promise<unknown> = DONE;
  #writesUnderWay = 0;
  readonly #onWritten = (): void => {
    this.#writesUnderWay--;
  };
  #ending: Promise<void> | undefined;

  constructor(transport: ByteTransport, life: Lifecycle) {
    this.#transport = transport;
    this.#life = life;
  }

  /** Whether somebody has it for itself. */
  get locked(): boolean {
    return this.#taken || this.#writable?.locked === true;
  }

  /** It as a web stream. */
  get writable(): WritableStream<Uint8Array> {
    if (this.#writable) return this.#writable;
    this.#writable = new WritableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
        if (this.#life.death) controller.error(this.#life.death.reason);
        const { signal } = controller;
        // The sink's own abort() would wait for a write that is stuck. The abort
        // that is being asked for has to be under way before the stream fails.
        signal.addEventListener(
          "abort",
          () => queueMicrotask(() => this.#life.fail(signal.reason)),
        );
      },
      write: (chunk) => this.write(chunk),
      close: () => this.close(),
    });
    if (this.#taken) this.#writable.getWriter();
    return this.#writable;
  }

  /** Locks it for good. */
  take(): ChunkSink {
    this.#taken = true;
    this.#writable?.getWriter();
    return this;
  }

  /** Writes all of `data`, after the writes before. */
  write(data: Uint8Array, signal?: AbortSignal): Promise<void> {
    if (!(data instanceof Uint8Array)) {
      return Promise.reject(
        new TypeError("Cannot write as data must be a Uint8Array"),
      );
    }
    // Only what comes after the end: writes that wait are before it.
    if (this.#ending && !this.#life.death) {
      return Promise.reject(
        new StreamClosedError("Cannot write as our direction was ended"),
      );
    }
    if (this.#writesUnderWay > 0) return this.#writeInTurn(data, signal);
    const write = this.#writeNow(data, signal);
    this.#writesUnderWay++;
    this.#lastWrite = write.then(this.#onWritten, this.#onWritten);
    return write;
  }

  /** Ends our direction, after the writes before; once. */
  close(): Promise<void> {
    return this.#ending ??= this.#lastWrite.then(async () => {
      this.#life.assertAlive();
      try {
        await this.#transport.closeWrite();
      } catch (error) {
        this.#fail(error, "end the stream");
      }
      this.#life.assertAlive();
      this.#life.endOutbound();
    });
  }

  abort(reason: unknown): void {
    this.#life.fail(reason);
  }

  /** Settles after the writes before, and after our end if that was asked for. */
  async settled(): Promise<void> {
    await (this.#ending ?? this.#lastWrite);
    this.#life.assertAlive();
  }

  /** Nothing works any more. */
  fail(reason: unknown): void {
    this.#controller?.error(reason);
  }

  #writeInTurn(data: Uint8Array, signal?: AbortSignal): Promise<void> {
    const before = this.#lastWrite;
    const turn = signal ? abortable(before, signal) : before;
    const write = turn.then(() => this.#writeNow(data, signal));
    this.#writesUnderWay++;
    // An aborted write settles before its turn; the next waits for that turn.
    this.#lastWrite = write.then(this.#onWritten, this.#onWritten)
      .then(() => before);
    return write;
  }

  async #writeNow(data: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.#life.assertAlive();
    if (signal?.aborted) throw signal.reason;
    const watch = signal &&
      onAbort(signal, () => this.#life.abort(signal.reason));
    try {
      await this.#transport.write(data);
    } catch (error) {
      this.#fail(error, "write");
    } finally {
      watch?.[Symbol.dispose]();
    }
    this.#life.assertAlive();
  }

  /** The transport has failed; whoever has it for good decides what there is still to read. */
  #fail(error: unknown, action: string): void {
    const failure = toStreamError(error, action);
    if (this.#taken) throw failure;
    this.#life.fail(failure);
  }
}

const DONE = Promise.resolve();
