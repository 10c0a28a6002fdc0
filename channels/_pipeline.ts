import { ByteStream } from "../streams/byte_stream.ts";
import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import { recycle } from "./_chunk_pool.ts";
import { assertChunk } from "./_assert_message.ts";
import {
  type ChunkSink,
  type ChunkSource,
  inboundOf,
  outboundOf,
  sourceOf,
} from "./_ends.ts";
import { FrameBatch } from "./_frame_batch.ts";
import type { FrameDecoder } from "./_frame_decoder.ts";
import type { Outbox } from "./_outbox.ts";

/** Encryption of both directions. */
export interface Encryption {
  /** What is to be sent, encrypted. */
  seal(source: ChunkSource): ChunkSource;
  /** What was received, decrypted. */
  open(source: ChunkSource): ChunkSource;
  /** Memory that a transport may read the next bytes into, if that saves a copy. */
  lend(): Uint8Array | undefined;
}

/** The stages that a channel may have between its frames and the transport. */
export interface Stages {
  readonly batching?: TransformStream<Uint8Array, Uint8Array>;
  readonly encryption?: Encryption;
}

/** How many microtasks an answer to a message takes to reach the transport. */
const ANSWER_TICKS = 3;

/** What the two ends of a pipeline are told. */
export interface PipelineHooks {
  /** A chunk has been read, after decryption. */
  onReceived(size: number): void;
  /** Frames have arrived; nothing more is read until what it returns has settled. */
  onFrames(batch: FrameBatch): Promise<void> | undefined;
  /** A chunk is being handed to the transport. */
  onWrite(): void;
  /** A chunk was handed to the transport. */
  onSent(size: number): void;
  /** Whether the peer has ended its direction. */
  peerHasEnded(): boolean;
}

/** A channel's pipeline at work. */
export interface Pipeline {
  /** Settles when the peer has ended and its last frame was whole. */
  readonly inbound: Promise<void>;
  /** Settles when the last chunk is out and our direction has ended. */
  readonly outbound: Promise<void>;
  /** Stops reading. */
  cancelInbound(reason: unknown): void;
  /** Ends our direction at once. */
  abortOutbound(reason: unknown): void;
}

/**
 * The shape of every channel. What flows are chunks that hold many frames, so
 * that a stage costs one hop for each chunk and not one for each message. A
 * stage that is not used is not there. The two ends are plain loops, and per
 * message there is only synchronous code.
 *
 * ```text
 * inbound   stream ─▶ [decryption] ─▶ deframing ─▶ inbox
 * outbound  outbox, framing ─▶ [batching] ─▶ [encryption] ─▶ stream
 * ```
 */
export function assemble(
  stream: ByteStreamPair,
  outbox: Outbox,
  { batching, encryption }: Stages,
  decoder: FrameDecoder,
  hooks: PipelineHooks,
): Pipeline {
  const wire = outboundOf(stream);
  const inbound = encryption
    ? encryption.open(inboundOf(stream, () => encryption.lend()))
    : inboundOf(stream, () => decoder.lend());
  const batched = batching
    ? sourceOf(outbox.readable.pipeThrough(batching))
    : outbox;
  const outbound = encryption ? encryption.seal(batched) : batched;
  return {
    inbound: receive(inbound, decoder, hooks),
    outbound: transmit(outbound, wire, outbox, hooks, {
      // Our own streams are done with a chunk when its write has settled.
      recycles: encryption !== undefined && stream instanceof ByteStream,
    }),
    cancelInbound: (reason) => inbound.cancel(reason),
    abortOutbound(reason) {
      wire.abort(reason);
      outbound.cancel(reason); // A write that is stuck keeps the stages from hearing of it.
    },
  };
}

/** The inbound end: reads until the peer ends, takes chunks apart and hands on the frames. */
async function receive(
  source: ChunkSource,
  decoder: FrameDecoder,
  hooks: PipelineHooks,
): Promise<void> {
  for (;;) {
    const chunk = await source.next();
    if (chunk === undefined) return decoder.end();
    assertChunk(chunk);
    hooks.onReceived(chunk.byteLength);
    const batch = new FrameBatch();
    try {
      decoder.decode(chunk, batch);
    } catch (error) {
      hooks.onFrames(batch); // What was whole before a fault is still received.
      source.cancel(error);
      throw error;
    }
    const room = hooks.onFrames(batch);
    if (room) await room;
    // Whoever waited for a message may answer in the next ticks. The answer goes
    // first: to try to read, and find nothing, is a system call of its own.
    for (let tick = 0; tick < ANSWER_TICKS; tick++) await undefined;
  }
}

/** The outbound end: hands chunks to the transport, one write each, until our direction ends. */
async function transmit(
  source: ChunkSource,
  wire: ChunkSink,
  outbox: Outbox,
  hooks: PipelineHooks,
  { recycles }: { recycles: boolean },
): Promise<void> {
  for (;;) {
    const chunk = await source.next();
    if (chunk === undefined) break;
    const { byteLength } = chunk; // It may be taken away with the chunk.
    if (byteLength === 0) {
      outbox.passBarrier();
      continue;
    }
    hooks.onWrite();
    await wire.write(chunk);
    hooks.onSent(byteLength);
    if (recycles) recycle(chunk);
  }
  try {
    await wire.close();
  } catch (error) {
    // All was taken, and a peer that is gone for good misses no end.
    if (!hooks.peerHasEnded()) throw error;
  }
}
