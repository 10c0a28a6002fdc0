import { BufferOverflowError } from "../errors.ts";
import { assertInteger } from "./_assert.ts";
import { BufferedTransport } from "./_buffered_transport.ts";
import { infoOf, transportOver } from "./_pair_transport.ts";
import { toStreamError } from "./_stream_error.ts";
import { ByteStream, directionsOf } from "./byte_stream.ts";
import type { ByteStreamPair } from "./byte_stream_pair.ts";
import { DEFAULT_BUFFER_SIZE, MAX_BUFFER_SIZE } from "./constants.ts";

/** Options of {@linkcode BufferedStream}. */
export interface BufferedStreamOptions {
  /**
   * How many bytes of small writes are gathered, 1 to 1,048,576, 8192 by default.
   * The stream holds up to twice as much.
   */
  bufferSize?: number;
}

/**
 * A byte stream that gathers small writes into large ones.
 *
 * - A write settles once its bytes are gathered. They leave together when the
 *   buffer is full, at `flush()`, at `closeWrite()` and `close()`, and at the
 *   end of the current turn of the event loop at the latest: nothing that was
 *   written waits for a call that never comes.
 * - A write of `bufferSize` or more passes without being gathered, after what
 *   was gathered before it.
 * - A failure to write what was gathered fails the stream, like every other.
 * - `close()` waits at most 5 seconds for what is gathered to leave; if it does
 *   not, `finished` tells with a `StreamTimeoutError`.
 * - Small reads are served from the last chunk of the stream below, without a
 *   read of that for each.
 *
 * A channel gathers its messages by itself, and gains nothing from this.
 *
 * @example
 * ```ts
 * import { BufferedStream, PipeStream } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * const [near, far] = PipeStream.createPair();
 * await using buffered = new BufferedStream(near, { bufferSize: 32_768 });
 * for (let i = 0; i < 1000; i++) await buffered.write(new Uint8Array([i]));
 * await buffered.flush();
 * assertEquals((await far.read(1000))?.[255], 255);
 * await far.close();
 * ```
 */
export class BufferedStream extends ByteStream {
  readonly #transport: BufferedTransport;

  /**
   * Makes a buffered stream of another, both of whose sides it locks and owns.
   *
   * @param stream Any pair of byte streams.
   * @param options The size of the buffer.
   * @throws {BufferOverflowError} if `bufferSize` is over `MAX_BUFFER_SIZE`.
   * @throws {RangeError} if `bufferSize` is no integer from 1.
   * @throws {TypeError} if a side of the stream is locked.
   */
  constructor(stream: ByteStreamPair, options: BufferedStreamOptions = {}) {
    const { bufferSize = DEFAULT_BUFFER_SIZE } = options;
    assertBufferSize(bufferSize);
    const transport = new BufferedTransport(transportOver(stream), bufferSize);
    super(transport, infoOf(stream));
    this.#transport = transport;
    transport.onFailure = (reason) => this.abort(reason);
  }

  /**
   * Settles when all writes before it have been handed to the stream below. Once
   * our direction is being ended it settles with that, also after the end of the
   * peer: there is nothing left to flush, which is no failure.
   *
   * @throws {StreamClosedError} after `close()`, unless both directions had ended
   * by then.
   */
  async flush(): Promise<void> {
    // In turn after the writes that still wait. Those in a pipe are its own business.
    await directionsOf(this).outbound.settled();
    try {
      await this.#transport.flush();
    } catch (error) {
      const failure = toStreamError(error, "write");
      this.abort(failure);
      throw failure;
    }
  }
}

function assertBufferSize(size: number): void {
  assertInteger("bufferSize", size, 1);
  if (size > MAX_BUFFER_SIZE) {
    throw new BufferOverflowError(
      `Cannot buffer the stream as bufferSize must be <= ${MAX_BUFFER_SIZE}: current value is ${size}`,
      { size, limit: MAX_BUFFER_SIZE },
    );
  }
}
