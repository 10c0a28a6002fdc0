import { assertInteger, assertTime } from "../streams/_assert.ts";
import { refuseOptions } from "../streams/_refuse_options.ts";
import { assertLevel } from "./_zlib.ts";

/** The default of {@linkcode ChannelOptions.maxMessageSize}, in bytes: 64 MiB. */
export const DEFAULT_MAX_MESSAGE_SIZE = 67_108_864;

/** The default of {@linkcode ChannelOptions.highWaterMark}, in bytes. */
export const DEFAULT_HIGH_WATER_MARK = 131_072;

/** The default of {@linkcode ChannelOptions.closeTimeout}, in milliseconds. */
export const DEFAULT_CLOSE_TIMEOUT = 5000;

/** The default zlib level, 0 to 9. */
export const DEFAULT_COMPRESSION_LEVEL = 6;

/** The default length that a message must exceed to be compressed, in bytes; RPyC's. */
export const DEFAULT_COMPRESSION_THRESHOLD = 3000;

/** The default number of messages that make a batch. */
export const DEFAULT_BATCH_SIZE = 10;

/** The default time that a batch waits for its messages, in milliseconds. */
export const DEFAULT_BATCH_TIMEOUT = 100;

/** How a channel compresses what it sends. */
export interface CompressionOptions {
  /** Level of zlib, 0 (none) to 9 (smallest), 6 by default. */
  level?: number;
  /** Only longer messages are compressed, in bytes, 3000 by default. */
  threshold?: number;
}

/** How a channel batches what it sends. */
export interface BatchingOptions {
  /** Messages that make a batch, 10 by default. */
  size?: number;
  /** How long a batch waits for them, in milliseconds, 100 by default. */
  timeout?: number;
}

/**
 * How a channel keeps watch over an idle connection. Over TCP an empty frame to a
 * peer that has closed resets the connection: what that peer had sent, and what had
 * not reached our system yet, as our reader is behind, is lost.
 */
export interface HeartbeatOptions {
  /** The longest time without sending, in milliseconds: before it is up, an empty frame is sent. */
  interval: number;
  /**
   * After this long without receiving anything, the peer is lost, in milliseconds. It
   * is to be several times the `interval` of the peer.
   */
  timeout: number;
}

/** Options of a {@linkcode Channel}. */
export interface ChannelOptions {
  /**
   * The longest message in bytes, sent and received, 64 MiB by default. A
   * longer one is refused before it is sent, and at its header when received;
   * it bounds what a compressed message may inflate to as well.
   */
  maxMessageSize?: number;
  /**
   * Compression of what is sent, off by default. A compressed message is always
   * understood. Inside encryption it lets an observer of lengths guess at
   * secrets that share a message with text of an attacker's choice (CRIME).
   */
  compression?: false | CompressionOptions;
  /**
   * Batching of what is sent. By default (`false`) the first message after a
   * pause leaves at once and what is sent meanwhile leaves together after it,
   * without a timer.
   */
  batching?: false | BatchingOptions;
  /**
   * How many bytes may be queued each way, 131,072 by default: above it
   * `send()` waits, and reading stops until `recv()` has caught up. One message
   * may exceed it by itself. With encryption up to 640 KiB more are in work each way.
   */
  highWaterMark?: number;
  /**
   * When a message half received, or a write, has made no progress for this
   * long, the channel fails; in milliseconds, 0 (the default) is off. A peer
   * that takes its time to read is stalled too.
   */
  stallTimeout?: number;
  /**
   * Empty frames that keep an idle connection watched, off by default. Both
   * sides must use it, as empty messages are not delivered while it is on.
   */
  heartbeat?: HeartbeatOptions;
  /**
   * How long `close()` waits for what is queued to leave, in milliseconds, 5000 by
   * default; 0 is not at all.
   */
  closeTimeout?: number;
}

/** {@linkcode ChannelOptions} with every default filled in. */
export interface ChannelConfig {
  readonly maxMessageSize: number;
  readonly compression: Required<CompressionOptions> | undefined;
  readonly batching: Required<BatchingOptions> | undefined;
  readonly highWaterMark: number;
  readonly stallTimeout: number;
  readonly heartbeat: HeartbeatOptions | undefined;
  readonly closeTimeout: number;
}

/** Checks the options, refuses any other, and fills in the defaults. */
export function resolveOptions({
  maxMessageSize = DEFAULT_MAX_MESSAGE_SIZE,
  compression = false,
  batching = false,
  highWaterMark = DEFAULT_HIGH_WATER_MARK,
  stallTimeout = 0,
  heartbeat,
  closeTimeout = DEFAULT_CLOSE_TIMEOUT,
  ...rest
}: ChannelOptions): ChannelConfig {
  refuseOptions("open channel", rest, REASONS);
  assertMaxMessageSize(maxMessageSize);
  assertInteger("highWaterMark", highWaterMark, 1);
  assertTime("stallTimeout", stallTimeout);
  assertTime("closeTimeout", closeTimeout);
  if (heartbeat) {
    const { interval: _interval, timeout: _timeout, ...others } = heartbeat;
    refuseOptions("watch the connection", others);
    assertTime("heartbeat.interval", heartbeat.interval, 1);
    assertTime("heartbeat.timeout", heartbeat.timeout, 1);
  }
  return {
    maxMessageSize,
    compression: compression ? resolveCompression(compression) : undefined,
    batching: batching ? resolveBatching(batching) : undefined,
    highWaterMark,
    stallTimeout,
    heartbeat: heartbeat || undefined,
    closeTimeout,
  };
}

/** Checks the compression options and fills in the defaults. */
export function resolveCompression({
  level = DEFAULT_COMPRESSION_LEVEL,
  threshold = DEFAULT_COMPRESSION_THRESHOLD,
  ...rest
}: CompressionOptions): Required<CompressionOptions> {
  refuseOptions("compress messages", rest);
  assertLevel(level);
  assertInteger("threshold", threshold, 0);
  return { level, threshold };
}

/** Checks the batching options and fills in the defaults. */
export function resolveBatching({
  size = DEFAULT_BATCH_SIZE,
  timeout = DEFAULT_BATCH_TIMEOUT,
  ...rest
}: BatchingOptions): Required<BatchingOptions> {
  refuseOptions("batch messages", rest);
  assertInteger("batch size", size, 1);
  assertTime("batch timeout", timeout);
  return { size, timeout };
}

/** Refuses what is no length of a message. */
export function assertMaxMessageSize(maxMessageSize: number): void {
  assertInteger("maxMessageSize", maxMessageSize, 0, MAX_LENGTH);
}

/** The largest length that a frame can state. */
export const MAX_LENGTH = 2 ** 32 - 1;

const OF_TARGET = "it goes with what is connected to, not with the channel";

const REASONS = {
  hostname: OF_TARGET,
  port: OF_TARGET,
  path: OF_TARGET,
  command: OF_TARGET,
  tls: OF_TARGET,
  signal: OF_TARGET,
  timeout: OF_TARGET,
  attempts: OF_TARGET,
  noDelay: OF_TARGET,
  keepAlive: OF_TARGET,
  ipv6: OF_TARGET,
};
