import type { ChunkSink, ChunkSource, Lender } from "../streams/_chunks.ts";
import { asLost } from "../streams/_stream_error.ts";
import { ByteStream, directionsOf } from "../streams/byte_stream.ts";
import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";

/** The chunks of a web stream, which is locked from then on. */
export function sourceOf(readable: ReadableStream<Uint8Array>): ChunkSource {
  const reader = readable.getReader();
  return {
    async next() {
      const { done, value } = await reader.read();
      return done ? undefined : value;
    },
    cancel(reason) {
      reader.cancel(reason).catch(() => {}); // The read that failed tells.
    },
  };
}

/**
 * The inbound side of `stream`, which is locked from then on. One of our own is
 * read past its web stream: that hop is a twentieth of a round trip, and 2 KB
 * for each channel.
 *
 * @param lender Has the memory where large payloads are wanted.
 */
export function inboundOf(
  stream: ByteStreamPair,
  lender: Lender,
): ChunkSource {
  if (!(stream instanceof ByteStream)) {
    const source = sourceOf(stream.readable);
    return {
      next: () => source.next().catch(lost),
      cancel: (reason) => source.cancel(reason),
    };
  }
  const { inbound } = directionsOf(stream);
  inbound.lendMemory(lender);
  return inbound.take();
}

/** The outbound side of `stream`, which is locked from then on. */
export function outboundOf(stream: ByteStreamPair): ChunkSink {
  if (stream instanceof ByteStream) return directionsOf(stream).outbound.take();
  const writer = stream.writable.getWriter();
  writer.closed.catch(() => {}); // The write that failed tells.
  return {
    // A byte stream takes the memory of what it is given away: it gets its own.
    write: (chunk) =>
      writer.write(ownsMemory(chunk) ? chunk : new Uint8Array(chunk))
        .catch(lost),
    close: () => writer.close().catch(lost),
    abort(reason) {
      writer.abort(reason).catch(() => {});
    },
  };
}

/** Where the other end of a bare pair was closed or aborted, it is gone for us. */
function lost(error: unknown): never {
  throw asLost(error, "go on as the peer is gone");
}

function ownsMemory({ byteLength, buffer }: Uint8Array): boolean {
  return byteLength === buffer.byteLength;
}
