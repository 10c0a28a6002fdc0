import { abortable } from "jsr:@std/async@^1.5.0/abortable";
import {
  EncryptionError,
  StreamClosedError,
  StreamTimeoutError,
} from "../errors.ts";
import { assertUnlocked } from "../streams/_assert_unlocked.ts";
import { toStreamError } from "../streams/_stream_error.ts";
import { ByteStream } from "../streams/byte_stream.ts";
import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import { chunkSizes } from "./_chunk_sizes.ts";
import { Ending } from "./_ending.ts";
import { FrameDecoder } from "./_frame_decoder.ts";
import { DONE, handled, rejected, rejectHandled } from "./_handled.ts";
import { Inbox } from "./_inbox.ts";
import { Liveness } from "./_liveness.ts";
import { Outbox } from "./_outbox.ts";
import { Pipeline, type PipelineHooks, type Stages } from "./_pipeline.ts";
import type { StageOpener } from "./_stage_opener.ts";
import { Turn } from "./_turn.ts";
import { untilQuiet } from "./_until_quiet.ts";
import { inflate } from "./_zlib.ts";
import { BatchingStream } from "./batching_stream.ts";
import type { ChannelConfig } from "./channel_options.ts";

/** How long a channel that is closed reads on at most, in milliseconds. */
const MAX_LINGER = 500;

/**
 * The running parts of a channel: its pipeline between inbox and outbox, and how
 * it ends. Each direction ends by itself; a failure ends both, once.
 */
export class Link implements PipelineHooks {
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  /** Settles when the pipeline stands: at once, or after what `open` does. */
  readonly ready: Promise<void>;
  /**
   * Whether a payload may be handed on as it is. Our own streams are done with a
   * chunk when its write has settled, encryption has copied it when it takes the
   * next. Any other pair may well pass it on.
   */
  readonly lends: boolean;
  /** How far it has ended. */
  readonly ending = new Ending();

  readonly #stream: ByteStreamPair;
  readonly #config: ChannelConfig;
  readonly #decoder: FrameDecoder;
  readonly #turn = new Turn();
  /** Timers; none by default, as most of what follows: an idle channel is small. */
  #liveness: Liveness | undefined;
  #opening: AbortController | undefined;
  #outboundEnd: PromiseWithResolvers<void> | undefined;
  #pipeline: Pipeline | undefined;
  #peerEnded = false;
  /** Whether our direction is to end. */
  #endsOutbound = false;
  /** Whether all that was accepted has been handed to the transport, but for the end. */
  #allSent = false;
  /** How many messages had surely left at the last heartbeat. */
  #left = 0;
  /** Why a heartbeat could not be sent. */
  #unreachable: { readonly reason: unknown } | undefined;
  /** Whether we have ended receiving, and there may be more to read. */
  #cancelled = false;
  #closing: Promise<void> | undefined;
  #releasing: Promise<void> | undefined;
  #lingering: AbortController | undefined;

  constructor(
    stream: ByteStreamPair,
    config: ChannelConfig,
    open: StageOpener | undefined,
  ) {
    const { highWaterMark, batching, maxMessageSize, heartbeat, stallTimeout } =
      config;
    const ours = stream instanceof ByteStream;
    assertUnlocked(stream, "open channel");
    this.lends = ours || open !== undefined;
    this.#stream = stream;
    this.#config = config;
    this.#decoder = new FrameDecoder(maxMessageSize, heartbeat !== undefined);
    this.inbox = new Inbox(highWaterMark, this);
    this.outbox = new Outbox(
      highWaterMark,
      chunkSizes(stream, { encrypted: open !== undefined, stallTimeout }),
      // Batching holds on to a chunk.
      { keeps: this.lends, recycles: this.lends && batching === undefined },
      this.#turn,
      this,
    );
    if (open) {
      this.ready = handled(this.#open(open)); // Every other call tells as well.
    } else {
      this.#assemble({});
      this.ready = DONE;
    }
  }

  /** What has gone through; nothing until the pipeline stands. */
  get traffic(): Pick<Pipeline, "bytesSent" | "bytesReceived" | "writes"> {
    return this.#pipeline ?? NO_TRAFFIC;
  }

  /** Why nothing can be sent any more, if so. */
  get refusal(): { readonly reason: unknown } | undefined {
    const { failure, closing } = this.ending;
    if (failure || !this.#endsOutbound) return failure;
    if (this.#unreachable && !closing) {
      this.fail(this.#unreachable.reason); // Now that something is lost.
      return this.#unreachable;
    }
    return {
      reason: new StreamClosedError(
        closing
          ? "Cannot send message as the channel was closed"
          : "Cannot send message as our direction was ended",
      ),
    };
  }

  /** Settles when all that was accepted has been handed to the transport. */
  flush(): Promise<void> {
    const { failure } = this.ending;
    if (failure) return rejected(failure.reason);
    return this.#endsOutbound ? this.endOutbound() : this.outbox.flush();
  }

  /** Ends our direction after all that was accepted; settles when that is done. */
  endOutbound(): Promise<void> {
    const { failure } = this.ending;
    if (failure) return rejected(failure.reason);
    if (!this.#endsOutbound) {
      this.#endsOutbound = true;
      this.outbox.flush().then(() => this.#allSent = true, () => {});
      this.outbox.end();
    }
    this.#outboundEnd ??= Promise.withResolvers();
    if (this.ending.outboundOver) this.#outboundEnd.resolve();
    return this.#outboundEnd.promise;
  }

  /**
   * Ends receiving: what arrives from now on is not wanted. A stream of our own is
   * read again when it is let go of, see #linger.
   */
  cancelInbound(reason: unknown): void {
    if (this.ending.closing) return; // What comes is dropped anyway.
    this.#cancelled = true;
    if (this.#stream instanceof ByteStream) this.inbox.pause();
    else this.#pipeline?.cancelInbound(reason);
    this.inbox.drop();
    this.#end("inbound");
  }

  /** Sends what was accepted within the deadline, then ends everything. */
  close(): Promise<void> {
    this.ending.closing = true;
    return this.#closing ??= this.#close();
  }

  /** Ends everything at once, and drops what has arrived. */
  abort(reason: unknown): void {
    this.ending.aborted = true;
    this.inbox.drop();
    this.fail(reason);
    // All may have ended well, but for a stream that takes its time to close.
    if (this.#stream instanceof ByteStream) this.#stream.abort(reason);
  }

  /** Ends everything at once. Only the first reason counts. */
  fail(reason: unknown): void {
    if (!this.ending.fail(reason)) return;
    this.#liveness?.stop();
    this.#opening?.abort(reason);
    this.#lingering?.abort();
    this.inbox.fail(reason);
    this.outbox.fail(reason);
    if (this.#outboundEnd) rejectHandled(this.#outboundEnd, reason);
    this.#pipeline?.cancelInbound(reason);
    this.#pipeline?.abortOutbound(reason);
    if (this.#stream instanceof ByteStream) this.#stream.abort(reason);
  }

  /** Inflates a message whose turn it is. */
  inflate(data: Uint8Array): Uint8Array<ArrayBuffer> {
    try {
      return inflate(data, this.#config.maxMessageSize);
    } catch (error) {
      this.inbox.drop(); // What is delivered is a prefix of what was sent.
      this.fail(error);
      throw error;
    }
  }

  onInboundEnd(): void {
    this.#peerEnded = true;
    this.#cancelled = false;
    this.#end("inbound");
  }

  onInboundFailure(error: unknown): void {
    // What comes after a close() or cancel() is dropped, whatever it is. That somebody
    // has interfered is told even then.
    const { closing, inboundOver } = this.ending;
    if ((closing || inboundOver) && !(error instanceof EncryptionError)) {
      this.#cancelled = false;
      return this.#end("inbound");
    }
    this.fail(toStreamError(error, "receive message"));
  }

  onOutboundEnd(): void {
    this.#end("outbound");
  }

  onOutboundFailure(error: unknown): void {
    if (this.ending.outboundOver) return;
    // A peer that has ended, and is gone for good, misses no end of ours.
    if (this.#peerEnded && this.#allSent) return this.#end("outbound");
    const reason = toStreamError(error, "send message");
    if (this.#endsOutbound || !this.outbox.hasOnly(this.#left)) {
      return this.fail(reason);
    }
    // It was a heartbeat: perhaps to a peer that has closed, and whose last messages,
    // and end, are still to be received.
    this.#unreachable = { reason };
    this.#endsOutbound = true;
    this.#end("outbound");
    this.outbox.discard();
    this.#pipeline?.cancelOutbound(reason);
  }

  async #open(open: StageOpener): Promise<void> {
    this.#opening = new AbortController();
    try {
      const stages = await open(this.#stream, this.#opening.signal);
      const { failure } = this.ending;
      if (!failure) return this.#assemble(stages);
      // It failed in between, when neither the opener nor a pipeline told the peer.
      const { readable, writable } = this.#stream;
      readable.cancel(failure.reason).catch(() => {});
      writable.abort(failure.reason).catch(() => {});
    } catch (error) {
      this.fail(toStreamError(error, "open channel"));
    }
    throw this.ending.failure?.reason;
  }

  #assemble(stages: Omit<Stages, "batching">): void {
    const batching = this.#config.batching && new BatchingStream({
      ...this.#config.batching,
      // What has begun to leave is not held back.
      weigh: () =>
        this.outbox.beginsWithinMessage ? Infinity : this.outbox.framesUnderWay,
    });
    this.#pipeline = new Pipeline(
      this.#stream,
      this,
      { batching, ...stages },
      this.#decoder,
      this.#turn,
      this,
    );
    if (this.#cancelled && !(this.#stream instanceof ByteStream)) {
      this.#pipeline.cancelInbound( // Before it stood.
        new StreamClosedError("Receiving was ended"),
      );
    }
    this.#watch(this.#pipeline);
  }

  /** Starts the timers that the options ask for. */
  #watch(pipeline: Pipeline): void {
    const { stallTimeout, heartbeat } = this.#config;
    if (stallTimeout === 0 && heartbeat === undefined) return;
    this.#liveness = new Liveness({ stallTimeout, heartbeat }, {
      sent: () => pipeline.bytesSent,
      received: () => pipeline.bytesRead,
      receiving: () => this.#decoder.pending,
      // What waits for our turn waits for nobody else.
      sending: () =>
        pipeline.writing ||
        this.outbox.queuedBytes > 0 && !this.#turn.isComing,
      // After a close() nothing is received, and its own deadline holds.
      listening: () =>
        !this.inbox.full && !this.#turn.isComing && !this.ending.inboundOver &&
        !this.ending.closing,
      beat: () => this.#beat(),
      fail: (error) => this.fail(error),
    });
    this.#liveness.start();
  }

  #beat(): void {
    if (this.#endsOutbound) return;
    const { accepted } = this.outbox;
    this.outbox.barrier().then(() => this.#left = accepted, () => {});
    this.outbox.beat();
    // A batch must not hold it: the peer would give us up.
    if (this.#config.batching) this.outbox.barrier();
  }

  #end(direction: "inbound" | "outbound"): void {
    if (direction === "inbound") {
      this.ending.inboundOver = true;
      this.#lingering?.abort();
      this.inbox.end();
    } else {
      this.ending.outboundOver = true;
      this.#outboundEnd?.resolve();
    }
    if (!this.ending.over || this.ending.failure) return;
    this.#liveness?.stop();
    this.#release();
  }

  async #close(): Promise<void> {
    if (!this.ending.failure) {
      this.inbox.fail(new StreamClosedError("Channel was closed"));
      this.inbox.drop(); // What arrives until then is read and dropped: the peer may wait for it.
    }
    if (this.#pipeline === undefined && this.outbox.queuedBytes === 0) {
      // A peer that has not answered yet misses nothing.
      this.fail(new StreamClosedError("Channel was closed before it was open"));
    }
    if (this.ending.failure || this.ending.over) return await this.#release();
    const { closeTimeout } = this.#config;
    const clock = new AbortController();
    const timer = setTimeout(() => clock.abort(), closeTimeout);
    try {
      await abortable(this.endOutbound(), clock.signal);
    } catch {
      this.fail(
        new StreamTimeoutError(
          `Cannot send all messages before the close as it took longer than ${closeTimeout} ms`,
          { timeout: closeTimeout },
        ),
      );
    } finally {
      clearTimeout(timer);
    }
    this.#liveness?.stop();
    await this.#release();
  }

  /** Lets go of the stream, once; our direction has ended by then, or all has failed. */
  #release(): Promise<void> {
    return this.#releasing ??= (async () => {
      await this.#linger();
      this.ending.inboundOver = true;
      if (this.#stream instanceof ByteStream) await this.#stream.close();
      if (this.ending.failure) return;
      this.#pipeline?.cancelInbound(
        new StreamClosedError("Channel was closed"),
      );
      this.ending.finish();
    })();
  }

  /**
   * Reads on for a little, until the peer ends as well. A socket that is closed
   * with bytes unread, or that bytes reach later, resets the connection: the
   * peer would lose what we sent last.
   */
  async #linger(): Promise<void> {
    const { failure, inboundOver } = this.ending;
    if (failure || inboundOver && !this.#cancelled) return;
    this.#lingering = new AbortController();
    this.inbox.resume();
    await untilQuiet(
      () => this.#pipeline?.bytesRead ?? 0,
      Math.min(this.#config.closeTimeout, MAX_LINGER),
      this.#lingering.signal,
    );
  }
}

const NO_TRAFFIC = { bytesSent: 0, bytesReceived: 0, writes: 0 };
