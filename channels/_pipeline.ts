import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import { deframing } from "./_deframing.ts";
import type { FrameBatch, FrameDecoder } from "./_frame_decoder.ts";

/** The stages that a channel may have between its frames and the transport. */
export interface Stages {
  readonly batching?: TransformStream<Uint8Array, Uint8Array>;
  readonly encryption?: TransformStream<Uint8Array, Uint8Array>;
  readonly decryption?: TransformStream<Uint8Array, Uint8Array>;
}

/** What the ends of a pipeline are told. */
export interface PipelineHooks {
  /** A chunk has been read, after decryption. */
  onReceived(size: number): void;
  /** A chunk is being handed to the transport. */
  onWrite(): void;
  /** A chunk was handed to the transport. */
  onSent(size: number): void;
  /** A zero-length chunk, which marks a place, has come this far. */
  onMark(): void;
}

/** The two ends of a channel's pipeline. */
export interface Pipeline {
  /** Frames, in the batches that they arrived in. */
  readonly inbound: ReadableStream<FrameBatch>;
  /** Settles when the last chunk is out and our direction has ended. */
  readonly outbound: Promise<void>;
}

/**
 * The shape of every channel. What flows are chunks that hold many frames, so
 * that a stage costs one hop for each chunk and not one for each message.
 *
 * ```text
 * inbound   stream.readable ─▶ [decryption] ─▶ deframing
 * outbound  chunks ─▶ [batching] ─▶ [encryption] ─▶ stream.writable
 * ```
 */
export function assemble(
  stream: ByteStreamPair,
  chunks: ReadableStream<Uint8Array>,
  { batching, encryption, decryption }: Stages,
  decoder: FrameDecoder,
  hooks: PipelineHooks,
): Pipeline {
  const transport = wire(stream.writable, hooks);
  const inbound = through(stream.readable, decryption)
    .pipeThrough(deframing(decoder, hooks.onReceived));
  const outbound = through(through(chunks, batching), encryption)
    .pipeTo(transport);
  return { inbound, outbound };
}

function through(
  readable: ReadableStream<Uint8Array>,
  stage: TransformStream<Uint8Array, Uint8Array> | undefined,
): ReadableStream<Uint8Array> {
  return stage ? readable.pipeThrough(stage) : readable;
}

/** The last stage: hands chunks to the transport, one write each, and counts them. */
function wire(
  writable: WritableStream<Uint8Array>,
  { onWrite, onSent, onMark }: PipelineHooks,
): WritableStream<Uint8Array> {
  const writer = writable.getWriter();
  writer.closed.catch(() => {}); // The write that failed tells.
  return new WritableStream({
    start({ signal }) {
      // At once: `abort` below comes only after a write that may be stuck.
      signal.addEventListener("abort", () => {
        writer.abort(signal.reason).catch(() => {}); // `abort` tells.
      });
    },
    async write(chunk) {
      if (chunk.byteLength === 0) return onMark();
      onWrite();
      await writer.write(chunk);
      onSent(chunk.byteLength);
    },
    close: () => writer.close(),
    abort: (reason) => writer.abort(reason),
  });
}
