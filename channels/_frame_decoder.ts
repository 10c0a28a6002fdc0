import { BufferOverflowError, ConnectionLostError } from "../errors.ts";
import { describeForeignHeader } from "./_foreign_header.ts";
import {
  FRAME_OVERHEAD,
  HEADER_SIZE,
  PLAIN,
  readLength,
  TRAILER_SIZE,
} from "./_frame.ts";
import type { FrameBatch } from "./_frame_batch.ts";
import { MAX_NEIGHBOURS, MessagePool, MIN_FILL } from "./_message_pool.ts";

/** How much memory may be taken for a payload, as a multiple of what has arrived. */
const MAX_GROWTH = 16;
/** What may be taken for a payload before any of it has arrived, in bytes: at first ... */
const FIRST_ALLOCATION = 1024;
/** ... and at most, once the peer has sent a good part of that in earlier frames: 1 MiB and what follows it, ... */
const MAX_FIRST_ALLOCATION = 1_048_576 + TRAILER_SIZE + HEADER_SIZE;
/** ... or as much as it has once sent as one payload, up to this. */
const MAX_REMEMBERED = 16_777_216 + FRAME_OVERHEAD;
/** The shortest payload whose memory is lent, in bytes; of shorter ones few are cut. */
const MIN_LOAN = 2048;
/** For how many frames memory is lent at most. */
const MAX_LOAN_FRAMES = MAX_NEIGHBOURS / MIN_LOAN;

/** What a batch takes beside its bytes, so that many small ones are not free. */
const BATCH_OVERHEAD = 256;

/**
 * Decodes frames from chunks that are cut anywhere. A payload that lies within
 * one chunk is handed out as a view where that is cheap to keep, everything
 * else is copied once. Time is linear in the bytes, memory in what has arrived.
 */
export class FrameDecoder {
  readonly #maxMessageSize: number;
  readonly #skipsEmpty: boolean;
  readonly #pool = new MessagePool();

  /** The frame being put together: its header, then its payload. */
  #header: Uint8Array<ArrayBuffer> = EMPTY;
  #headerFilled = 0;
  #length = 0;
  /** Memory for the payload, and for what follows it up to the next header's end. */
  #payload = EMPTY;
  #payloadFilled = 0;
  /** Bytes of earlier chunks. */
  #received = 0;
  /** What the longest payload that was put together took, in bytes. */
  #largest = 0;
  /** For how many frames memory is lent: more each time that it was filled. */
  #loanFrames = 1;
  /** Bytes that have been decoded since the last batch. */
  #uncounted = 0;

  /**
   * @param maxMessageSize In bytes.
   * @param skipsEmpty Whether empty frames are heartbeats, not messages.
   */
  constructor(maxMessageSize: number, skipsEmpty = false) {
    this.#maxMessageSize = maxMessageSize;
    this.#skipsEmpty = skipsEmpty;
  }

  /** Whether the bytes so far end inside a frame. */
  get pending(): boolean {
    return this.#headerFilled > 0;
  }

  /**
   * Decodes one chunk, whose memory belongs to the decoder from then on.
   *
   * @param batch What the frames are added to.
   * @throws {BufferOverflowError} at the header of a frame over the limit; the
   * frames before it are in `batch`.
   */
  decode(chunk: Uint8Array<ArrayBuffer>, batch: FrameBatch): void {
    let at = 0;
    if (this.#isLoan(chunk)) at = this.#takeLoan(chunk, batch);
    else if (this.#headerFilled > 0) at = this.#resume(chunk, 0, batch);
    // Whole frames: no state, and no copy but where it would waste memory.
    const shareFrom = this.#pool.shareFrom(chunk);
    const end = chunk.byteLength;
    let start = at;
    let count = 0;
    let shared = true;
    let fits = true;
    const endRun = () => {
      if (count > 0) this.#addRun(batch, chunk, start, at, count, shared);
      count = 0;
    };
    while (at + HEADER_SIZE <= end) {
      const length = readLength(chunk, at);
      fits = this.#fits(length, chunk[at + 4]!);
      const next = at + length + FRAME_OVERHEAD;
      if (!fits || next > end) break;
      const skipped = length === 0 && this.#skipsEmpty;
      const sharing = length >= shareFrom;
      const tooLong = !sharing && next - start > MAX_NEIGHBOURS;
      if (skipped || sharing !== shared || tooLong) {
        endRun();
        start = skipped ? next : at;
        shared = sharing;
      }
      if (!skipped) count++;
      at = next;
    }
    endRun();
    if (!fits) throw this.#overflow(readLength(chunk, at));
    if (at < end) this.#resume(chunk, at, batch);
    this.#received += end;
    this.#uncounted += end;
    if (batch.size === 0) return;
    batch.queueSize = this.#uncounted + BATCH_OVERHEAD;
    this.#uncounted = 0;
  }

  /**
   * To be called at the end of the bytes.
   *
   * @throws {ConnectionLostError} if they end inside a frame.
   */
  end(): void {
    if (!this.pending) return;
    const received = this.#headerFilled + this.#payloadFilled;
    const expected = this.#headerFilled < HEADER_SIZE
      ? HEADER_SIZE
      : this.#length + FRAME_OVERHEAD;
    throw new ConnectionLostError(
      `Cannot receive message as the stream ended inside a frame: needed ${expected} bytes, received ${received}`,
      { received, expected },
    );
  }

  /**
   * Memory that a transport may read the next bytes into, so that they need not
   * be copied: where the rest of a large payload belongs, however short. The read
   * ends with a header, after which all of the next payload can be lent. The chunk
   * to be decoded next is then a view of it.
   */
  lend(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#length < MIN_LOAN) return undefined;
    this.#grow(this.#payloadFilled + 1);
    return this.#payload.subarray(this.#payloadFilled);
  }

  #isLoan(chunk: Uint8Array<ArrayBuffer>): boolean {
    return chunk.buffer === this.#payload.buffer && chunk.byteLength > 0;
  }

  /** Goes on after a read into lent memory; returns what of `chunk` is done with. */
  #takeLoan(chunk: Uint8Array<ArrayBuffer>, batch: FrameBatch): number {
    const rest = this.#length - this.#payloadFilled;
    if (chunk.byteLength <= rest) {
      this.#payloadFilled += chunk.byteLength;
      return chunk.byteLength;
    }
    const filled = this.#payloadFilled + chunk.byteLength;
    const { byteLength } = this.#payload;
    this.#loanFrames = filled === byteLength
      ? Math.min(this.#loanFrames * 2, MAX_LOAN_FRAMES)
      : 1;
    if (filled < byteLength * MIN_FILL) {
      this.#payload = this.#payload.slice(0, this.#length); // Or it would keep the rest.
    }
    this.#finish(batch);
    return rest + TRAILER_SIZE;
  }

  /** Goes on with, or begins, a frame that is not whole; returns where it stopped. */
  #resume(
    chunk: Uint8Array<ArrayBuffer>,
    at: number,
    batch: FrameBatch,
  ): number {
    if (this.#headerFilled < HEADER_SIZE) {
      if (this.#header === EMPTY) this.#header = new Uint8Array(HEADER_SIZE);
      const part = chunk.subarray(at, at + HEADER_SIZE - this.#headerFilled);
      this.#header.set(part, this.#headerFilled);
      this.#headerFilled += part.byteLength;
      at += part.byteLength;
      if (this.#headerFilled < HEADER_SIZE) return at;
      this.#length = readLength(this.#header, 0);
      if (!this.#fits(this.#length, this.#header[4]!)) {
        throw this.#overflow(this.#length);
      }
    }
    const part = chunk.subarray(at, at + this.#length - this.#payloadFilled);
    this.#append(part);
    at += part.byteLength;
    // The trailer, too, must be here before the message is.
    if (this.#payloadFilled < this.#length || at === chunk.byteLength) {
      return at;
    }
    this.#finish(batch);
    return at + TRAILER_SIZE;
  }

  /** The frame being put together is whole. */
  #finish(batch: FrameBatch): void {
    const payload = this.#payload.subarray(0, this.#length);
    if (payload.byteLength > 0 || !this.#skipsEmpty) {
      batch.addPayload(payload, this.#header[4]!);
    }
    this.#largest = Math.min(
      Math.max(this.#largest, this.#length + FRAME_OVERHEAD),
      MAX_REMEMBERED,
    );
    this.#headerFilled = 0;
    this.#length = 0;
    this.#payload = EMPTY;
    this.#payloadFilled = 0;
  }

  #append(part: Uint8Array<ArrayBuffer>): void {
    const filled = this.#payloadFilled + part.byteLength;
    this.#grow(filled);
    this.#payload.set(part, this.#payloadFilled);
    this.#payloadFilled = filled;
  }

  /**
   * Takes memory for what has arrived: whatever a header claims, no more than
   * `FIRST_ALLOCATION`, or `MAX_GROWTH` times what the peer has sent so far.
   */
  #grow(needed: number): void {
    if (needed <= this.#payload.byteLength) return;
    const size = Math.max(
      FIRST_ALLOCATION,
      needed * MAX_GROWTH,
      Math.min(this.#received * MAX_GROWTH, MAX_FIRST_ALLOCATION),
      this.#largest,
    );
    const grown = new Uint8Array(Math.min(size, this.#wanted));
    grown.set(this.#payload.subarray(0, this.#payloadFilled));
    this.#payload = grown;
  }

  /**
   * The memory for the payload and up to the next header. While what is lent is
   * filled it is for more and more frames of that length, up to as many as one of
   * them may keep alive, so that a read brings several.
   */
  get #wanted(): number {
    const frame = this.#length + FRAME_OVERHEAD;
    if (this.#length < MIN_LOAN) return frame;
    const most = Math.floor((MAX_NEIGHBOURS + this.#length) / frame);
    return Math.min(this.#loanFrames, most) * frame;
  }

  /** Hands out whole frames of `chunk`, shared or copied. */
  #addRun(
    batch: FrameBatch,
    chunk: Uint8Array<ArrayBuffer>,
    start: number,
    end: number,
    count: number,
    shared: boolean,
  ): void {
    if (shared) return batch.addRun(chunk, start, end, count);
    const copy = this.#pool.copy(chunk.subarray(start, end));
    batch.addRun(copy, 0, copy.byteLength, count);
  }

  #fits(length: number, flag: number): boolean {
    return length <= this.#maxMessageSize ||
      // RPyC also sends what zlib made larger: by up to this much.
      flag !== PLAIN && length <= deflateBound(this.#maxMessageSize);
  }

  #overflow(length: number): BufferOverflowError {
    const hint = describeForeignHeader(length);
    return new BufferOverflowError(
      `Cannot receive message as its length must be <= ${this.#maxMessageSize}: current length is ${length}${hint}`,
      { size: length, limit: this.#maxMessageSize },
    );
  }
}

const EMPTY = new Uint8Array(0);

/** The most that zlib makes of `size` bytes (`deflateBound` of zlib.h). */
function deflateBound(size: number): number {
  return size + Math.ceil(size / 1000) + 64;
}
