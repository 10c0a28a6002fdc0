import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import {
  assertSecureArguments,
  SecureHandshake,
  type SecureTestOptions,
} from "./_secure_handshake.ts";
import { openEncryption } from "./_encryption.ts";
import { openStages, type StagedOptions } from "./_stage_opener.ts";
import { Channel } from "./channel.ts";
import type { ChannelOptions } from "./channel_options.ts";
import type { SecureOptions } from "./secure_options.ts";

/**
 * A channel whose bytes are encrypted and authenticated, between two sides that
 * share a key. What that protects and what it does not is said at
 * {@linkcode SecureStream}, for who must choose between it and TLS.
 *
 * - The handshake starts by itself. `ready` resolves when it is done, and what is
 *   sent before is queued as far as `highWaterMark` goes.
 * - Encryption is the outermost stage: no byte of a stranger reaches the
 *   decoder of frames or zlib.
 * - Tampering fails the channel with an `EncryptionError`, an end that the peer
 *   did not send with a `ConnectionLostError`.
 * - Compression is off unless asked for, as lengths then tell about contents.
 *
 * It takes the options of all channels, so that one channel can compress, batch
 * and encrypt.
 *
 * @example
 * ```ts
 * import { EncryptedChannel, PipeStream } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * const key = crypto.getRandomValues(new Uint8Array(32));
 * const [near, far] = PipeStream.createPair();
 * await using client = new EncryptedChannel(near, key);
 * await using server = new EncryptedChannel(far, key);
 *
 * await client.send(new TextEncoder().encode("secret"));
 * assertEquals(await server.recv(), new TextEncoder().encode("secret"));
 * ```
 */
export class EncryptedChannel extends Channel {
  /**
   * Makes a channel of a byte stream, both of whose sides it locks and owns, and
   * starts the handshake.
   *
   * @param stream Any pair of byte streams.
   * @param key The shared secret: 16 to 64 random bytes, which are copied.
   * @param options Role, context and deadline of the handshake, and the options
   * of every channel.
   * @throws {RangeError} if `key` has less than 16 or more than 64 bytes, or all
   * of them are equal, or an option is out of its range.
   * @throws {TypeError} if `key` or `context` is no `Uint8Array`, the role is
   * unknown, or a side of the stream is locked.
   */
  constructor(
    stream: ByteStreamPair,
    key: Uint8Array,
    options: ChannelOptions & SecureOptions = {},
  ) {
    assertSecureArguments(key, options);
    const { role, context, handshakeTimeout, ...rest } = options;
    const { ephemeral, random, rekeyInterval, ...others }:
      & ChannelOptions
      & SecureTestOptions = rest;
    const secure = { role, context, handshakeTimeout, ephemeral, random };
    const staged: StagedOptions = {
      ...others,
      async [openStages](pair, signal) {
        const session = await new SecureHandshake(pair, key, secure, signal)
          .finished;
        const { stallTimeout } = others;
        return {
          encryption: await openEncryption(pair, session, {
            rekeyInterval,
            stallTimeout,
          }),
        };
      },
    };
    super(stream, staged);
  }
}
