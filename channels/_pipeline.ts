import { accessOf, ByteStream } from "../streams/byte_stream.ts";
import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import { assertChunk } from "./_assert_message.ts";
import { handled } from "./_handled.ts";
import {
  emptyBatch,
  type FrameBatch,
  type FrameDecoder,
} from "./_frame_decoder.ts";

/** The stages that a channel may have between its frames and the transport. */
export interface Stages {
  readonly batching?: TransformStream<Uint8Array, Uint8Array>;
  readonly encryption?: TransformStream<Uint8Array, Uint8Array>;
  readonly decryption?: TransformStream<Uint8Array, Uint8Array>;
}

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
  /** Whether the peer has ended its direction, and so wants nothing more, perhaps. */
  peerHasEnded(): boolean;
  /** A chunk of no length, which marks a place, has come this far. */
  onMark(): void;
}

/** A channel's pipeline at work. */
export interface Pipeline {
  /** Settles when the peer has ended and its last frame was whole. */
  readonly inbound: Promise<void>;
  /** Settles when the last chunk is out and our direction has ended. */
  readonly outbound: Promise<void>;
  /** Makes `inbound` fail with `reason`, and stops reading. */
  cancelInbound(reason: unknown): void;
  /** Aborts the outbound side at once: a pipe would first wait for a write that may be stuck. */
  abortOutbound(reason: unknown): void;
}

/**
 * The shape of every channel. What flows are chunks that hold many frames, so
 * that a stage costs one hop for each chunk and not one for each message. The
 * two ends are plain synchronous code.
 *
 * ```text
 * inbound   stream.readable ─▶ [decryption] ─▶ deframing, inbox
 * outbound  outbox, framing ─▶ [batching] ─▶ [encryption] ─▶ stream.writable
 * ```
 */
export function assemble(
  stream: ByteStreamPair,
  chunks: ReadableStream<Uint8Array>,
  { batching, encryption, decryption }: Stages,
  decoder: FrameDecoder,
  hooks: PipelineHooks,
): Pipeline {
  const writer = writerOf(stream);
  const { frames, cancel } = deframing(decoder, hooks);
  if (stream instanceof ByteStream && !decryption) {
    accessOf(stream).lendMemory(() => decoder.lend());
  }
  return {
    inbound: through(stream.readable, decryption).pipeTo(frames),
    outbound: through(through(chunks, batching), encryption).pipeTo(
      wire(writer, hooks),
    ),
    cancelInbound: cancel,
    abortOutbound: writer.abort,
  };
}

function through(
  readable: ReadableStream<Uint8Array>,
  stage: TransformStream<Uint8Array, Uint8Array> | undefined,
): ReadableStream<Uint8Array> {
  return stage ? readable.pipeThrough(stage) : readable;
}

/** The inbound end: takes chunks apart and hands on the frames. */
function deframing(
  decoder: FrameDecoder,
  { onReceived, onFrames }: PipelineHooks,
): { frames: WritableStream<Uint8Array>; cancel(reason: unknown): void } {
  let controller!: WritableStreamDefaultController;
  const frames = new WritableStream<Uint8Array>({
    start(streamController) {
      controller = streamController;
    },
    write(chunk) {
      assertChunk(chunk);
      onReceived(chunk.byteLength);
      const batch = emptyBatch();
      try {
        decoder.decode(chunk, batch);
      } catch (error) {
        onFrames(batch); // What was whole before a fault is still received.
        throw error;
      }
      return onFrames(batch);
    },
    close: () => decoder.end(),
  });
  return { frames, cancel: (reason) => controller.error(reason) };
}

/** The outbound end: hands chunks to the transport, one write each, and counts them. */
function wire(
  writer: Writer,
  { onWrite, onSent, onMark, peerHasEnded }: PipelineHooks,
): WritableStream<Uint8Array> {
  const { write, close, abort } = writer;
  return new WritableStream({
    async write(chunk) {
      if (chunk.byteLength === 0) return onMark();
      onWrite();
      await write(chunk);
      onSent(chunk.byteLength);
    },
    async close() {
      try {
        await close();
      } catch (error) {
        // All was taken, and a peer that is gone for good misses no end.
        if (!peerHasEnded()) throw error;
      }
    },
    abort,
  });
}

/** The operations on the outbound side. */
interface Writer {
  write(chunk: Uint8Array): Promise<void>;
  close(): Promise<void>;
  abort(reason: unknown): void;
}

/** Locks the outbound side. */
function writerOf(stream: ByteStreamPair): Writer {
  if (stream instanceof ByteStream) {
    // Past its own web stream: that hop is a tenth of a round trip.
    return {
      write: accessOf(stream).takeWriter(),
      close: () => stream.closeWrite(),
      abort: (reason) => stream.abort(reason),
    };
  }
  const writer = stream.writable.getWriter();
  handled(writer.closed); // The write that failed tells.
  return {
    write: (chunk) => writer.write(chunk),
    close: () => writer.close(),
    abort: (reason) => void handled(writer.abort(reason)),
  };
}
