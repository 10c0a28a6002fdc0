import type { Lender } from "../streams/_inbound.ts";
import { accessOf, ByteStream } from "../streams/byte_stream.ts";
import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";

/** Where chunks come from, one at a time. */
export interface ChunkSource {
  /** The next chunk; `undefined` at the end. */
  next(): Promise<Uint8Array | undefined>;
  /** Ends it; a `next()` that waits settles, in any way. */
  cancel(reason: unknown): void;
}

/** Where chunks go, one at a time. */
export interface ChunkSink {
  /** Settles once the chunk is handed over. */
  write(chunk: Uint8Array): Promise<void>;
  /** Ends it cleanly. */
  close(): Promise<void>;
  /** Ends it at once. */
  abort(reason: unknown): void;
}

/** @throws {TypeError} if a side of `stream` is locked. */
export function assertUnlocked(stream: ByteStreamPair): void {
  if (stream instanceof ByteStream) {
    // Without making its web streams, which a channel does not need.
    return accessOf(stream).assertUnlocked("open channel");
  }
  const { readable, writable } = stream;
  for (const [side, { locked }] of Object.entries({ readable, writable })) {
    if (!locked) continue;
    throw new TypeError(
      `Cannot open channel as ${side} of the stream is locked`,
    );
  }
}

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
  if (!(stream instanceof ByteStream)) return sourceOf(stream.readable);
  const access = accessOf(stream);
  access.lendMemory(lender);
  return access.takeReader();
}

/** The outbound side of `stream`, which is locked from then on. */
export function outboundOf(stream: ByteStreamPair): ChunkSink {
  if (stream instanceof ByteStream) return accessOf(stream).takeWriter();
  const writer = stream.writable.getWriter();
  writer.closed.catch(() => {}); // The write that failed tells.
  return {
    // A byte stream takes the memory of what it is given away: it gets its own.
    write: (chunk) =>
      writer.write(ownsMemory(chunk) ? chunk : new Uint8Array(chunk)),
    close: () => writer.close(),
    abort(reason) {
      writer.abort(reason).catch(() => {});
    },
  };
}

function ownsMemory({ byteLength, buffer }: Uint8Array): boolean {
  return byteLength === buffer.byteLength;
}
