import type { ChunkSource, Lender } from "../streams/_chunks.ts";
import { ByteStream } from "../streams/byte_stream.ts";
import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import { STREAM_CHUNK_SIZE } from "../streams/constants.ts";
import { CHUNK_CAPACITY } from "./_chunk_pool.ts";
import { StagedSource } from "./_staged_source.ts";
import { RecordCipher } from "./_record_cipher.ts";
import { RecordDecryptor } from "./_record_decryptor.ts";
import { RecordEncryptor } from "./_record_encryptor.ts";
import { RecordOpener } from "./_record_opener.ts";
import { RecordParser } from "./_record_parser.ts";
import { RecordSealer } from "./_record_sealer.ts";
import type { SecureSession } from "./_secure_handshake.ts";

/** Encryption of both directions of one connection; each is to be used once. */
export interface Encryption extends Lender {
  /** The records of what is to be sent. */
  seal(source: ChunkSource): StagedSource;
  /**
   * What the received records hold. A failure after its end fails the sealing.
   *
   * @param onFailure Told of a failure at once; who reads learns of it after what
   * came before.
   */
  open(source: ChunkSource, onFailure?: (error: unknown) => void): StagedSource;
}

/** How {@linkcode openEncryption} works. */
export interface EncryptionOptions {
  /** After how many records of a direction its key changes; other than the default in tests. */
  readonly rekeyInterval?: number | undefined;
  /** See {@linkcode ChannelOptions.stallTimeout}, which counts a write only when it is finished. */
  readonly stallTimeout?: number | undefined;
}

/** Makes the encryption of what goes over `stream`, and wipes the keys. */
export async function openEncryption(
  stream: ByteStreamPair,
  { role, sendingKey, receivingKey, rest }: SecureSession,
  { rekeyInterval, stallTimeout = 0 }: EncryptionOptions = {},
): Promise<Encryption> {
  const making = Promise.all([
    RecordCipher.create(sendingKey, rekeyInterval),
    RecordCipher.create(receivingKey, rekeyInterval),
  ]);
  sendingKey.fill(0);
  receivingKey.fill(0);
  const [sending, receiving] = await making;
  const sealer = new RecordSealer(sending);
  const peer = role === "initiator" ? "responder" : "initiator";
  const opener = new RecordOpener(receiving, peer);
  const parser = new RecordParser();
  // Our own streams are done with a chunk when its write has settled.
  const pooled = stream instanceof ByteStream;
  const maxJoined = stallTimeout > 0 ? STREAM_CHUNK_SIZE : CHUNK_CAPACITY;
  const options = { sender: role, pooled, maxJoined };
  let sealed: StagedSource | undefined;
  return {
    seal: (source) =>
      sealed = new StagedSource(
        source,
        (sink) => new RecordEncryptor(sealer, options, sink),
      ),
    open: (source, onFailure) =>
      new StagedSource(
        startingWith(rest, source),
        (sink) => new RecordDecryptor(opener, parser, sink),
        {
          onFailure(error, { late }) {
            // Who has taken the end takes no more: it must show elsewhere.
            if (late) sealed?.fail(error);
            onFailure?.(error);
          },
        },
      ),
    lend: () => parser.lend(),
  };
}

/** `source` after `rest`. */
function startingWith(rest: Uint8Array, source: ChunkSource): ChunkSource {
  let first = rest.byteLength > 0 ? rest : undefined;
  return {
    next() {
      if (first === undefined) return source.next();
      const chunk = first;
      first = undefined;
      return Promise.resolve(chunk);
    },
    cancel: (reason) => source.cancel(reason),
  };
}
