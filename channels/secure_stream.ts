import { assertUnlocked } from "../streams/_assert_unlocked.ts";
import { ByteStream, type StreamInfo } from "../streams/byte_stream.ts";
import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import type { ByteTransport } from "../streams/byte_transport.ts";
import {
  assertSecureArguments,
  SecureHandshake,
  type SecureTestOptions,
} from "./_secure_handshake.ts";
import { openEncryption } from "./_encryption.ts";
import { SecureTransport } from "./_secure_transport.ts";
import type { SecureOptions } from "./secure_options.ts";

/**
 * An encrypted byte stream over any other, between two sides that share a key.
 *
 * Choose it where both ends are yours and can be given a key beforehand: a parent
 * and its child, two services, a pipe, a Unix socket, a tunnel. It needs no
 * certificates and no clock, and works over anything that carries bytes. Choose
 * TLS (`createSslStream`) where a client must recognise a server that it shares no
 * secret with, where a certificate names who is there, or where others must be
 * able to connect with what they have.
 *
 * What it gives, against somebody who controls the network:
 * - **Secrecy and integrity.** What is read is always an exact prefix of what was
 *   written: nothing altered, dropped, repeated, reordered, reflected, or taken
 *   from another connection. The first violation ends both directions with an
 *   `EncryptionError`.
 * - **Mutual proof of the key.** Neither side reads a byte before the other has
 *   proven that it holds the key, freshly, and means the same `context`.
 * - **No truncation.** An end that the peer did not send is a
 *   `ConnectionLostError`, never a clean end.
 * - **Forward secrecy.** Keys are of one connection: somebody who learns `key`
 *   later cannot read what was recorded before.
 *
 * What it does not give:
 * - **Identity** beyond holding the key. Everybody who has it can be either
 *   side: to tell peers apart, give each pair a key of its own.
 * - **Hidden lengths and times.** An observer sees how much is sent, and when.
 * - **Safety of a weak key.** A key must be random. Somebody who records one
 *   handshake can try guesses offline, so a password is no key.
 * - **Safety of compression.** Where text of an attacker's choice is compressed
 *   together with a secret, lengths give the secret away (CRIME). No channel
 *   compresses unless it is told to.
 * - **Protection from who learns `key` now**: they can be in the middle.
 *
 * The protocol is `Noise_NNpsk0_25519_AESGCM_SHA256` and records of AES-256-GCM,
 * as in PROTOCOL.md under "Secure stream v1". `write` settles once the bytes have
 * been copied to be encrypted and there is room for more; `closeWrite` sends
 * the CLOSE record and then ends our direction of the stream below.
 *
 * @example
 * ```ts
 * import { SecureStream } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * const key = crypto.getRandomValues(new Uint8Array(32));
 * const there = new TransformStream<Uint8Array, Uint8Array>();
 * const back = new TransformStream<Uint8Array, Uint8Array>();
 * const [a, b] = await Promise.all([
 *   SecureStream.open({ readable: back.readable, writable: there.writable }, key),
 *   SecureStream.open({ readable: there.readable, writable: back.writable }, key),
 * ]);
 *
 * await a.write(new TextEncoder().encode("secret"));
 * assertEquals(await b.read(6), new TextEncoder().encode("secret"));
 * await Promise.all([a.closeWrite(), b.closeWrite()]);
 * assertEquals(await b.read(1), null);
 * assertEquals(await a.read(1), null);
 * ```
 */
export class SecureStream extends ByteStream {
  private constructor(transport: ByteTransport, info: StreamInfo) {
    super(transport, info);
  }

  /**
   * Does the handshake with the peer.
   *
   * @param stream What carries the bytes. It belongs to the secure stream from
   * then on, and has ended if the handshake fails.
   * @param key The shared secret: 16 to 64 random bytes, which are copied.
   * @param options Role, context and deadline.
   * @throws {EncryptionError} if the peer has another key, context, protocol or
   * the same role, or somebody interferes. The side that notices first tells the
   * other nothing but the end of the stream.
   * @throws {ConnectionLostError} if the stream ends within the handshake, which
   * is what the initiator sees of a peer that has another key.
   * @throws {StreamTimeoutError} if `handshakeTimeout` passes.
   * @throws {TypeError} if `key` or `context` is no `Uint8Array`, the role is
   * unknown, or the stream is locked.
   * @throws {RangeError} if `key` has less than 16 or more than 64 bytes, or all
   * of them are equal, or `handshakeTimeout` is out of its range.
   */
  static async open(
    stream: ByteStreamPair,
    key: Uint8Array,
    options: SecureOptions = {},
  ): Promise<SecureStream> {
    assertSecureArguments(key, options);
    assertUnlocked(stream, "encrypt");
    const session = await new SecureHandshake(stream, key, options).finished;
    const { rekeyInterval }: SecureTestOptions = options;
    const transport = new SecureTransport(
      stream,
      await openEncryption(stream, session, { rekeyInterval }),
    );
    return new SecureStream(transport, secureInfoOf(stream));
  }
}

function secureInfoOf(
  stream: ByteStreamPair & { info?: StreamInfo },
): StreamInfo {
  const { info } = stream;
  return info
    ? { ...info, transport: `secure+${info.transport}` }
    : { transport: "secure" };
}
