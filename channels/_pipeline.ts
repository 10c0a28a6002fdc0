import { ByteStream } from "../streams/byte_stream.ts";
import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import { recycle } from "./_chunk_pool.ts";
import { assertChunk } from "./_assert_message.ts";
import type { ChunkSink, ChunkSource } from "../streams/_chunks.ts";
import { inArrayBuffer } from "../streams/_in_array_buffer.ts";
import { inboundOf, outboundOf, sourceOf } from "./_ends.ts";
import type { Encryption } from "./_encryption.ts";
import { FrameBatch } from "./_frame_batch.ts";
import type { FrameDecoder } from "./_frame_decoder.ts";
import { tuneHeap } from "./_heap_tuning.ts";
import type { Inbox } from "./_inbox.ts";
import type { Outbox } from "./_outbox.ts";
import type { Turn } from "./_turn.ts";

/** The stages that a channel may have between its frames and the transport. */
export interface Stages {
  readonly batching?: TransformStream<Uint8Array, Uint8Array>;
  readonly encryption?: Encryption;
}

/** A chunk that shows that much is being received, in bytes. */
const LARGE_CHUNK = 16_384;

/** How many microtasks an answer to a message takes to reach the transport. */
const ANSWER_TICKS = 3;

/** What the two ends of a pipeline are told. */
export interface PipelineHooks {
  /** The peer has ended, and its last frame was whole. */
  onInboundEnd(): void;
  /** Nothing more can be received. */
  onInboundFailure(error: unknown): void;
  /** The last chunk is out and our direction has ended. */
  onOutboundEnd(): void;
  /** Nothing more can be sent. */
  onOutboundFailure(error: unknown): void;
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
export class Pipeline {
  /** Bytes handed to the transport. */
  bytesSent = 0;
  /** Bytes of frames received, after decryption. */
  bytesReceived = 0;
  /** Writes to the transport. */
  writes = 0;
  /** Whether one is under way. */
  writing = false;

  readonly #hooks: PipelineHooks;
  readonly #decoder: FrameDecoder;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #inbound: ChunkSource;
  readonly #outbound: ChunkSource;
  readonly #wire: ChunkSink;
  /** Whether chunks may be used again once they are written. */
  readonly #recycles: boolean;
  readonly #encrypted: boolean;
  #encryptedBytes = 0;
  readonly #turn: Turn;

  constructor(
    stream: ByteStreamPair,
    { inbox, outbox }: { readonly inbox: Inbox; readonly outbox: Outbox },
    { batching, encryption }: Stages,
    decoder: FrameDecoder,
    turn: Turn,
    hooks: PipelineHooks,
  ) {
    this.#turn = turn;
    this.#hooks = hooks;
    this.#decoder = decoder;
    this.#inbox = inbox;
    this.#outbox = outbox;
    this.#wire = outboundOf(stream);
    const inbound = inboundOf(stream, encryption ?? decoder);
    this.#encrypted = encryption !== undefined;
    // A failure ends both directions, even if nobody receives: what came before it,
    // which is little, does not wait for a reader.
    this.#inbound = encryption
      ? encryption.open(this.#counted(inbound), () => inbox.unbind())
      : inbound;
    const batched = batching
      ? sourceOf(outbox.readable.pipeThrough(batching))
      : outbox;
    this.#outbound = encryption ? encryption.seal(batched) : batched;
    // Our own streams are done with a chunk when its write has settled.
    this.#recycles = this.#outbound !== outbox && stream instanceof ByteStream;
    this.#receive();
    this.#transmit();
  }

  /** Bytes that the stream gave, encrypted or not: a record is nothing until it is whole. */
  get bytesRead(): number {
    return Math.max(this.#encryptedBytes, this.bytesReceived);
  }

  /** Stops reading. */
  cancelInbound(reason: unknown): void {
    this.#inbound.cancel(reason);
  }

  /** Ends our direction at once. */
  abortOutbound(reason: unknown): void {
    this.#wire.abort(reason);
    this.cancelOutbound(reason); // A write that is stuck keeps the stages from hearing of it.
  }

  /** Ends the stages of our direction, though not the stream. */
  cancelOutbound(reason: unknown): void {
    this.#outbound.cancel(reason);
  }

  /** The inbound end: reads until the peer ends, takes chunks apart and hands on the frames. */
  async #receive(): Promise<void> {
    try {
      for (;;) {
        const chunk = await this.#inbound.next();
        if (chunk === undefined) break;
        const batch = this.#decode(chunk);
        const turn = this.#inbox.over
          ? undefined
          : this.#turn.take(batch.size, chunk.byteLength);
        if (turn) {
          this.#inbox.hold(batch);
          await turn;
        }
        const room = this.#inbox.push(batch);
        if (room) await room;
        // Whoever waited for a message may answer in the next ticks. The answer goes
        // first: to try to read, and find nothing, is a system call of its own.
        for (let tick = 0; tick < ANSWER_TICKS; tick++) await undefined;
      }
      this.#decoder.end();
    } catch (error) {
      return this.#hooks.onInboundFailure(error);
    }
    this.#hooks.onInboundEnd();
  }

  /** Ends the stream, after the record that has told the peer, if there is one. */
  async #close(): Promise<void> {
    try {
      await this.#wire.close();
    } catch (error) {
      // A peer that knew may have let go of the stream already.
      if (!this.#encrypted) throw error;
    }
  }

  /** `source`, whose bytes are counted before they are decrypted. */
  #counted(source: ChunkSource): ChunkSource {
    return {
      next: async () => {
        const chunk = await source.next();
        this.#encryptedBytes += chunk?.byteLength ?? 0;
        return chunk;
      },
      cancel: (reason) => source.cancel(reason),
    };
  }

  #decode(chunk: Uint8Array): FrameBatch {
    assertChunk(chunk, "decode frames");
    this.bytesReceived += chunk.byteLength;
    if (chunk.byteLength >= LARGE_CHUNK) tuneHeap();
    const batch = new FrameBatch();
    try {
      this.#decoder.decode(inArrayBuffer(chunk), batch);
    } catch (error) {
      this.#inbox.push(batch); // What was whole before a fault is still received.
      this.#inbound.cancel(error);
      throw error;
    }
    return batch;
  }

  /** The outbound end: hands chunks to the transport, one write each, until our direction ends. */
  async #transmit(): Promise<void> {
    try {
      for (;;) {
        const chunk = await this.#outbound.next();
        if (chunk === undefined) break;
        const { byteLength } = chunk; // It may be taken away with the chunk.
        if (byteLength === 0) {
          this.#outbox.passBarrier();
          continue;
        }
        this.writing = true;
        await this.#wire.write(chunk);
        this.writing = false;
        this.bytesSent += byteLength;
        this.writes++;
        if (this.#recycles) recycle(chunk);
      }
      await this.#close();
    } catch (error) {
      return this.#hooks.onOutboundFailure(error);
    }
    this.#hooks.onOutboundEnd();
  }
}
