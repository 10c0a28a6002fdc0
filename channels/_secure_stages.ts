import { accessOf, ByteStream } from "../streams/byte_stream.ts";
import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import { RecordParser } from "./_record_parser.ts";
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

/** The stages of a secure connection. */
export interface SecureStages {
  /** For what we send. */
  readonly encryption: RecordEncryptionStream;
  /** For what the peer sends; records that came with the handshake are in it. */
  readonly decryption: RecordDecryptionStream;
  /** Stops encryption; settles when nothing is being encrypted any more. */
  readonly stop: () => Promise<void>;
}

/** Makes the stages of both directions over `stream`, and wipes the keys. */
export function openRecords(
  stream: ByteStreamPair,
  { role, sendingKey, receivingKey, rest }: SecureSession,
  { rekeyInterval }: { rekeyInterval?: number } = {},
): SecureStages {
  const peer = role === "initiator" ? "responder" : "initiator";
  let stop!: () => Promise<void>;
  const parser = new RecordParser();
  if (stream instanceof ByteStream) {
    accessOf(stream).lendMemory(() => parser.lend());
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
