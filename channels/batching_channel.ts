import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import { Channel } from "./channel.ts";
import type { ChannelOptions } from "./channel_options.ts";

/** The options that {@linkcode BatchingChannel} adds to those of every channel. */
export interface BatchingChannelOptions {
  /** Messages that make a batch, 10 by default. */
  batchSize?: number;
  /** How long a batch waits for them, in milliseconds, 100 by default. */
  batchTimeout?: number;
}

/**
 * A channel that holds messages back so that they leave together: a preset of
 * {@linkcode Channel}'s `batching`.
 *
 * A batch leaves, in one write, when it holds `batchSize` messages, when
 * `batchTimeout` has passed since its first one, when it has 64,000 bytes, and
 * at `flush()`, at `close()`, and when `writable` is closed. The rest of a long
 * message, the beginning of which has left, is not held back. The peer needs to know
 * nothing.
 *
 * A plain `Channel` gathers what is sent while a write is under way, at no cost
 * in time. This one is for many small messages that come one by one and may be
 * late: it saves writes, and with encryption records.
 *
 * @example
 * ```ts
 * import { BatchingChannel, Channel, PipeStream } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * const [near, far] = PipeStream.createPair();
 * await using client = new BatchingChannel(near, { batchSize: 100, batchTimeout: 50 });
 * await using server = new Channel(far);
 *
 * for (let n = 0; n < 5; n++) await client.send(new Uint8Array([n]));
 * await client.flush(); // Rather than wait for 95 more, or 50 ms.
 * assertEquals(client.stats.writes, 1);
 * assertEquals(await server.recv(), new Uint8Array([0]));
 * ```
 */
export class BatchingChannel extends Channel {
  /**
   * Makes a channel of a byte stream, both of whose sides it locks and owns.
   *
   * @param stream Any pair of byte streams.
   * @param options When a batch leaves, which goes before what is in `batching`,
   * and the options of every channel.
   * @throws {RangeError} if an option is out of its range.
   * @throws {TypeError} if a side of the stream is locked.
   */
  constructor(
    stream: ByteStreamPair,
    options: ChannelOptions & BatchingChannelOptions = {},
  ) {
    const { batchSize, batchTimeout, batching, ...others } = options;
    const given = batching || {};
    super(stream, {
      ...others,
      batching: {
        ...given,
        size: batchSize ?? given.size,
        timeout: batchTimeout ?? given.timeout,
      },
    });
  }
}
