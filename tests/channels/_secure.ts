/**
 * What the tests of the secure stream share: bare pairs, the fixed inputs of the
 * transcript in PROTOCOL.md, and a recorder of it.
 *
 * @module
 */

import { concat } from "@std/bytes";
import type { SecureTestOptions } from "../../channels/_secure_handshake.ts";
import { SecureStream } from "../../channels/secure_stream.ts";
import type { ByteStreamPair } from "../../streams/byte_stream_pair.ts";

/** The inputs of the transcript in PROTOCOL.md. */
export const KEY: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => i);
export const CONTEXT: Uint8Array = new TextEncoder().encode("example");
export const INITIATOR: SecureTestOptions = {
  role: "initiator",
  context: CONTEXT,
  random: new Uint8Array(24).fill(0x11),
  ephemeral: new Uint8Array(32).fill(0x33),
};
export const RESPONDER: SecureTestOptions = {
  role: "responder",
  context: CONTEXT,
  random: new Uint8Array(24).fill(0x22),
  ephemeral: new Uint8Array(32).fill(0x44),
};

/** Two bare pairs that are joined, with whatever stands in between, each way. */
export function barePairs(
  there: TransformStream<Uint8Array, Uint8Array> = new TransformStream(),
  back: TransformStream<Uint8Array, Uint8Array> = new TransformStream(),
): [ByteStreamPair, ByteStreamPair] {
  return [
    { readable: back.readable, writable: there.writable },
    { readable: there.readable, writable: back.writable },
  ];
}

/** Passes chunks on, as single bytes. */
export function byteByByte(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(chunk, controller) {
      for (const byte of chunk) controller.enqueue(new Uint8Array([byte]));
    },
  });
}

/** Passes chunks on, and keeps a copy of them. */
export function recorder(
  record: Uint8Array[],
): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(chunk, controller) {
      record.push(chunk.slice());
      controller.enqueue(chunk);
    },
  });
}

/** Two secure streams over bare pairs. */
export function openPair(
  [near, far]: [ByteStreamPair, ByteStreamPair] = barePairs(),
  nearOptions: SecureTestOptions = {},
  farOptions: SecureTestOptions = {},
): Promise<[SecureStream, SecureStream]> {
  return Promise.all([
    SecureStream.open(near, KEY, nearOptions),
    SecureStream.open(far, KEY, farOptions),
  ]);
}

/** Everything up to the end. */
export async function readAll(stream: SecureStream): Promise<Uint8Array> {
  return concat(await Array.fromAsync(stream.readable));
}

/** What each side of a conversation put on the wire. */
export interface Transcript {
  readonly initiator: Uint8Array;
  readonly responder: Uint8Array;
}

/** Records a conversation: each side writes its chunks, one record each, and ends. */
export async function recordTranscript(
  fromInitiator: readonly Uint8Array[],
  fromResponder: readonly Uint8Array[],
  options: SecureTestOptions = {},
): Promise<Transcript> {
  const there: Uint8Array[] = [];
  const back: Uint8Array[] = [];
  const [initiator, responder] = await openPair(
    barePairs(recorder(there), recorder(back)),
    { ...INITIATOR, ...options },
    { ...RESPONDER, ...options },
  );
  const talk = async (stream: SecureStream, chunks: readonly Uint8Array[]) => {
    for (const chunk of chunks) await stream.write(chunk);
    await stream.closeWrite();
  };
  await Promise.all([
    talk(initiator, fromInitiator),
    talk(responder, fromResponder),
    readAll(initiator),
    readAll(responder),
  ]);
  await Promise.all([initiator.finished, responder.finished]);
  return { initiator: concat(there), responder: concat(back) };
}
