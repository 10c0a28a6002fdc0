/**
 * The errors that Sluice raises on purpose.
 *
 * Every one of them is a {@linkcode StreamError} and keeps what caused it as
 * `cause`, where there is a cause that may be told. Three kinds of rejection are
 * not: misuse by the caller (a wrong type, a negative count) is a `TypeError` or a
 * `RangeError`; an abort rejects with the signal's own `reason`; what the system
 * says of permissions, files and addresses in use comes as it is. Sending a message
 * over `maxMessageSize`, and asking for a `bufferSize` over `MAX_BUFFER_SIZE`, is
 * misuse and still a {@linkcode BufferOverflowError}.
 *
 * @example Tell a lost connection from everything else
 * ```ts
 * import { assert } from "@std/assert";
 * import { ConnectionLostError, StreamError } from "@sluice/sluice/errors";
 *
 * const error = new ConnectionLostError("Cannot read", { received: 3, expected: 8 });
 * assert(error instanceof StreamError);
 * assert(error.received === 3);
 * ```
 *
 * @module
 */

/** The root of every error that Sluice raises on purpose. */
export class StreamError extends Error {
  /** The class name, so that a log line tells the condition. */
  override name = "StreamError";
}

/** What a {@linkcode ConnectionLostError} knows beside its message. */
export interface ConnectionLostErrorOptions extends ErrorOptions {
  /** Bytes that had arrived of what was being read, where known. */
  received?: number;
  /** Bytes that were needed, where known. */
  expected?: number;
}

/**
 * The peer or the transport went away before a clean end: a reset, an end of
 * stream inside a message or before the secure stream's CLOSE record, TLS
 * without `close_notify`, a child process that was killed. Or there was no
 * connection to be had: it was refused, the certificate is not to be trusted, the
 * proxy answered 407, the command was not found.
 */
export class ConnectionLostError extends StreamError {
  /** `"ConnectionLostError"`. */
  override name = "ConnectionLostError";
  /** Bytes that had arrived of what was being read, where known. */
  readonly received?: number;
  /** Bytes that were needed, where known. */
  readonly expected?: number;

  /**
   * Makes the error.
   *
   * @param message What could not be done, and why.
   * @param options The cause, and the counts of bytes where they are known.
   */
  constructor(message?: string, options: ConnectionLostErrorOptions = {}) {
    super(message, options);
    this.received = options.received;
    this.expected = options.expected;
  }
}

/** What a {@linkcode BufferOverflowError} knows beside its message. */
export interface BufferOverflowErrorOptions extends ErrorOptions {
  /** The size that was asked for, in bytes. */
  size?: number;
  /** The limit that it passed, in bytes. */
  limit?: number;
}

/**
 * A message, frame or buffer passed its limit, on either side: a message over
 * `maxMessageSize`, a `bufferSize` over `MAX_BUFFER_SIZE`, a header of an HTTP
 * proxy's answer over 16 KiB.
 */
export class BufferOverflowError extends StreamError {
  /** `"BufferOverflowError"`. */
  override name = "BufferOverflowError";
  /** The size that was asked for, in bytes. */
  readonly size?: number;
  /** The limit that it passed, in bytes. */
  readonly limit?: number;

  /**
   * Makes the error.
   *
   * @param message What could not be done, and why.
   * @param options The cause, the size and the limit.
   */
  constructor(message?: string, options: BufferOverflowErrorOptions = {}) {
    super(message, options);
    this.size = options.size;
    this.limit = options.limit;
  }
}

/** Compressed data is damaged, truncated, followed by other bytes, or larger than it may be. */
export class CompressionError extends StreamError {
  /** `"CompressionError"`. */
  override name = "CompressionError";
}

/**
 * A wrong key, tampering, replay, reflection, or a malformed record or
 * handshake. It does not tell these apart, as that would help an attacker.
 */
export class EncryptionError extends StreamError {
  /** `"EncryptionError"`. */
  override name = "EncryptionError";
}

/** What a {@linkcode FramingError} knows beside its message. */
export interface FramingErrorOptions extends ErrorOptions {
  /** Where in the stream the bytes stop making sense, in bytes from its start. */
  offset?: number;
}

/**
 * The bytes are not of the protocol in use, such as the answer of a proxy. Frames
 * of a channel cannot be told from other bytes: those most often look like a
 * message over the limit, which is a {@linkcode BufferOverflowError}.
 */
export class FramingError extends StreamError {
  /** `"FramingError"`. */
  override name = "FramingError";
  /** Where in the stream the bytes stop making sense, in bytes from its start. */
  readonly offset?: number;

  /**
   * Makes the error.
   *
   * @param message What could not be done, and why.
   * @param options The cause and the offset.
   */
  constructor(message?: string, options: FramingErrorOptions = {}) {
    super(message, options);
    this.offset = options.offset;
  }
}

/**
 * Something was used after its local end was closed: a stream, a channel, a pool,
 * a listener, a lease that was released. It is also what the `signal` of a server
 * that shuts down aborts with, the reason of an `abort()` without one, and how
 * `finished` tells of an abort whose reason is no {@linkcode StreamError}.
 */
export class StreamClosedError extends StreamError {
  /** `"StreamClosedError"`. */
  override name = "StreamClosedError";
}

/** What a {@linkcode StreamTimeoutError} knows beside its message. */
export interface StreamTimeoutErrorOptions extends ErrorOptions {
  /** The deadline that passed, in milliseconds. */
  timeout?: number;
}

/** A deadline of ours passed. */
export class StreamTimeoutError extends StreamError {
  /** `"StreamTimeoutError"`. */
  override name = "StreamTimeoutError";
  /** The deadline that passed, in milliseconds. */
  readonly timeout?: number;

  /**
   * Makes the error.
   *
   * @param message What could not be done, and why.
   * @param options The cause and the deadline.
   */
  constructor(message?: string, options: StreamTimeoutErrorOptions = {}) {
    super(message, options);
    this.timeout = options.timeout;
  }
}
