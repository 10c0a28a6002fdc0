import { accessOf, ByteStream } from "../streams/byte_stream.ts";
import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import { StagedSource } from "./_chunk_stage.ts";
import type { ChunkSource } from "./_ends.ts";
import type { Encryption } from "./_pipeline.ts";
import { RecordDecryptor } from "./_record_decryptor.ts";
import { RecordEncryptor } from "./_record_encryptor.ts";
import { RecordOpener } from "./_record_opener.ts";
import { RecordParser } from "./_record_parser.ts";
import { RecordSealer } from "./_record_sealer.ts";
import {
  onStart,
  otherDirection,
  pooledOutput,
  recordParser,
  type TiedOptions,
} from "./_tied_options.ts";
import type { SecureSession } from "./_secure_handshake.ts";
import { RecordDecryptionStream } from "./record_decryption_stream.ts";
import { RecordEncryptionStream } from "./record_encryption_stream.ts";

/** Takes the records of both directions over `stream` into a channel, and wipes the keys. */
export async function openEncryption(
  stream: ByteStreamPair,
  { role, sendingKey, receivingKey, rest }: SecureSession,
  { rekeyInterval }: { rekeyInterval?: number } = {},
): Promise<Encryption> {
  const making = Promise.all([
    RecordSealer.create(sendingKey, rekeyInterval),
    RecordOpener.create(receivingKey, {
      expectReady: role === "responder",
      rekeyInterval,
    }),
  ]);
  sendingKey.fill(0);
  receivingKey.fill(0);
  const [sealer, opener] = await making;
  const parser = new RecordParser();
  // Our own streams are done with a chunk when its write has settled.
  const pooled = stream instanceof ByteStream;
  let sealed: StagedSource | undefined;
  return {
    seal: (source) =>
      sealed = new StagedSource(
        source,
        (sink) => new RecordEncryptor(sealer, { sender: role, pooled }, sink),
      ),
    open: (source) =>
      new StagedSource(
        startingWith(rest, source),
        (sink) => new RecordDecryptor(opener, parser, sink),
        // Who has taken the end takes no more: it must show elsewhere.
        (error) => sealed?.fail(error),
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

/** The stages of a secure stream. */
export interface SecureStages {
  /** For what we send. */
  readonly encryption: RecordEncryptionStream;
  /** For what the peer sends; records that came with the handshake are in it. */
  readonly decryption: RecordDecryptionStream;
  /** Stops encryption; settles when nothing is being encrypted any more. */
  readonly stop: () => Promise<void>;
}

/** Makes the stages of both directions of a secure stream over `stream`, and wipes the keys. */
export function openRecords(
  stream: ByteStreamPair,
  { role, sendingKey, receivingKey, rest }: SecureSession,
  { rekeyInterval }: { rekeyInterval?: number } = {},
): SecureStages {
  const peer = role === "initiator" ? "responder" : "initiator";
  let stop!: () => Promise<void>;
  const parser = new RecordParser();
  if (stream instanceof ByteStream) {
    accessOf(stream).lendMemory(parser);
  }
  const tie: TiedOptions = {
    rekeyInterval,
    [otherDirection]: new AbortController(),
    [recordParser]: parser,
    // Our own streams are done with a chunk when its write has settled.
    [onStart]: (stopEncryption) => stop = stopEncryption,
    [pooledOutput]: stream instanceof ByteStream,
  };
  const encryption = new RecordEncryptionStream(sendingKey, {
    ...tie,
    sender: role,
  });
  const decryption = new RecordDecryptionStream(receivingKey, {
    ...tie,
    sender: peer,
  });
  sendingKey.fill(0);
  receivingKey.fill(0);
  if (rest.byteLength > 0) {
    const writer = decryption.writable.getWriter();
    writer.write(rest).catch(() => {}); // Whoever reads learns of a failure.
    writer.closed.catch(() => {});
    writer.releaseLock();
  }
  return { encryption, decryption, stop };
}
