import { abortable } from "jsr:@std/async@^1.5.0/abortable";
import { concat } from "jsr:@std/bytes@^1.0.6/concat";
import { ConnectionLostError } from "../errors.ts";
import { assertTime } from "../streams/_assert.ts";
import { toStreamError } from "../streams/_stream_error.ts";
import { timeLimit } from "../streams/_time_limit.ts";
import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import { notAuthentic } from "./_encryption_error.ts";
import {
  encodeHello,
  HELLO_LENGTH,
  HELLO_RANDOM_LENGTH,
  mayBeHello,
  resolveRole,
} from "./_hello.ts";
import { HandshakeState } from "./_noise/handshake_state.ts";
import { hkdf } from "./_noise/hkdf.ts";
import { importKeyPair } from "./_noise/x25519.ts";
import {
  DEFAULT_HANDSHAKE_TIMEOUT,
  type SecureOptions,
  type SecureRole,
} from "./secure_options.ts";

const NN_PSK0 = {
  name: "NNpsk0",
  messages: [["psk", "e"], ["e", "ee"]],
} as const;
/** A public key and the tag of an empty payload. */
const MESSAGE_LENGTH = 48;
/** All that a peer can send before it has proven itself. */
const MAX_HELD = HELLO_LENGTH + MESSAGE_LENGTH;
const MIN_KEY_LENGTH = 16;
const MAX_KEY_LENGTH = 64;

const PSK_INFO = new TextEncoder().encode("sluice/1 psk");
const PROLOGUE = new TextEncoder().encode("sluice/1");
const EMPTY = new Uint8Array(0);

/** What tests fix, beside the public options. */
export interface SecureTestOptions extends SecureOptions {
  /** The private half of our ephemeral key. */
  ephemeral?: Uint8Array;
  /** The 24 random bytes of our HELLO. */
  random?: Uint8Array;
  /** After how many records of a direction its key changes; both sides must agree. */
  rekeyInterval?: number;
}

/** What a handshake gives. The owner of the keys wipes them. */
export interface SecureSession {
  /** Which side we were in the end. */
  readonly role: SecureRole;
  /** The traffic key for what we send. */
  readonly sendingKey: Uint8Array<ArrayBuffer>;
  /** The traffic key for what the peer sends. */
  readonly receivingKey: Uint8Array<ArrayBuffer>;
  /** Bytes that arrived in one chunk with the end of the handshake: records. */
  readonly rest: Uint8Array;
}

/**
 * The handshake of the secure stream, over any pair of streams. It starts by
 * itself, and holds the locks of both streams until it is over: then they are
 * free for pipes, or, if it failed, both have ended with the failure.
 *
 * A peer that has not proven itself makes us hold 80 bytes at most; an initiator also
 * holds what came in one chunk behind message 2.
 */
export class SecureHandshake {
  /** Rejects with the one failure, of which both streams have been told. */
  readonly finished: Promise<SecureSession>;

  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #clock = new AbortController();
  /** Aborts when it is to give up: told so, or too late. */
  readonly #signal: AbortSignal;
  readonly #held = new Uint8Array(MAX_HELD);
  #heldLength = 0;
  #rest: Uint8Array = EMPTY;

  /**
   * Begins.
   *
   * @param options Options that were checked.
   * @param signal Gives up: `finished` rejects with its reason.
   */
  constructor(
    stream: ByteStreamPair,
    key: Uint8Array,
    options: SecureTestOptions,
    signal?: AbortSignal,
  ) {
    this.#reader = stream.readable.getReader();
    this.#writer = stream.writable.getWriter();
    this.#signal = AbortSignal.any([
      this.#clock.signal,
      ...signal ? [signal] : [],
    ]);
    this.finished = this.#finish(key, options);
    this.finished.catch(() => {}); // The owner may look later.
  }

  async #finish(
    key: Uint8Array,
    options: SecureTestOptions,
  ): Promise<SecureSession> {
    const { handshakeTimeout: timeout = DEFAULT_HANDSHAKE_TIMEOUT } = options;
    using _ = timeLimit(
      timeout,
      `Cannot finish handshake as it must take <= ${timeout} ms`,
      (error) => this.#clock.abort(error),
    );
    const keyCopy = new Uint8Array(key);
    try {
      return await this.#run(keyCopy, options);
    } catch (error) {
      const failure = this.#signal.aborted
        ? this.#signal.reason
        : toStreamError(error, "finish handshake");
      // Nothing more to learn from them: the failure is known.
      this.#reader.cancel(failure).catch(() => {});
      this.#writer.abort(failure).catch(() => {});
      throw failure;
    } finally {
      this.#reader.releaseLock();
      this.#writer.releaseLock();
      keyCopy.fill(0);
    }
  }

  async #run(
    key: Uint8Array<ArrayBuffer>,
    options: SecureTestOptions,
  ): Promise<SecureSession> {
    const { role: wantedRole, context = EMPTY, ephemeral } = options;
    const random = options.random ??
      crypto.getRandomValues(new Uint8Array(HELLO_RANDOM_LENGTH));
    const ours = encodeHello(wantedRole, random);
    const boundContext = new Uint8Array(context); // A copy: it is the caller's.

    // Both sides send at once, so neither may wait for its write to be read.
    const [theirs] = await Promise.all([
      this.#read(HELLO_LENGTH, MAX_HELD),
      this.#write(ours),
    ]);
    const role = resolveRole(ours, theirs);
    const initiator = role === "initiator";
    const psk = await hkdf(EMPTY, key, PSK_INFO, 32);
    const state = await HandshakeState.create(NN_PSK0, {
      initiator,
      prologue: concat([
        PROLOGUE,
        initiator ? ours : theirs,
        initiator ? theirs : ours,
        boundContext,
      ]),
      psks: [psk],
      ephemeralKeyPair: ephemeral && await importKeyPair(ephemeral),
    });
    if (initiator) {
      // A responder has nothing to say before it knows our ephemeral key.
      if (this.#heldLength > 0) throw notAuthentic();
      const message = await state.writeMessage(EMPTY);
      const [answer] = await Promise.all([
        this.#read(MESSAGE_LENGTH, Infinity),
        this.#write(message),
      ]);
      await readMessage(state, answer);
    } else {
      // Nor has an initiator before it knows ours.
      const message = await this.#read(MESSAGE_LENGTH, MESSAGE_LENGTH);
      await readMessage(state, message);
      await this.#write(await state.writeMessage(EMPTY));
    }
    const keys = await state.split();
    return {
      role,
      sendingKey: initiator ? keys.initiator : keys.responder,
      receivingKey: initiator ? keys.responder : keys.initiator,
      rest: this.#rest,
    };
  }

  /**
   * Exactly `count` bytes, if no more than `limit` have arrived by then. What
   * arrived beyond `count` is held, or becomes the rest where there is no limit.
   */
  async #read(
    count: number,
    limit: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    while (this.#heldLength < count) {
      const { done, value } = await abortable(
        this.#reader.read(),
        this.#signal,
      );
      if (done) {
        // Who finds out that the keys differ says nothing, and hangs up.
        const hint = count === HELLO_LENGTH
          ? "be without a key"
          : "have another key or context";
        throw new ConnectionLostError(
          `Cannot finish handshake as the stream ended early: needed ${count} bytes, received ${this.#heldLength} (the peer may ${hint})`,
          { received: this.#heldLength, expected: count },
        );
      }
      if (this.#heldLength + value.byteLength > limit) throw notAuthentic();
      const room = (limit === Infinity ? count : limit) - this.#heldLength;
      this.#rest = value.subarray(room);
      this.#held.set(value.subarray(0, room), this.#heldLength);
      this.#heldLength += Math.min(value.byteLength, room);
      // A peer that speaks something else may wait for us: it is told at once.
      const held = this.#held.subarray(0, this.#heldLength);
      if (count === HELLO_LENGTH && !mayBeHello(held)) throw notAuthentic();
    }
    if (this.#heldLength > limit) throw notAuthentic();
    const result = this.#held.slice(0, count);
    this.#held.copyWithin(0, count, this.#heldLength);
    this.#heldLength -= count;
    return result;
  }

  #write(data: Uint8Array): Promise<void> {
    // A byte stream takes the memory away, and a HELLO is needed again.
    return abortable(this.#writer.write(data.slice()), this.#signal);
  }
}

/**
 * Checks what the caller gave, before anything is sent.
 *
 * @throws {TypeError} if `key` or the context is no `Uint8Array`, or the role is
 * none.
 * @throws {RangeError} if `key` is not 16 to 64 bytes long or all its bytes are
 * equal, or the timeout is not from 0 to 2147483647.
 */
export function assertSecureArguments(
  key: Uint8Array,
  options: SecureOptions,
): void {
  const { role, context, handshakeTimeout: timeout = 0 } = options;
  if (!(key instanceof Uint8Array)) {
    throw new TypeError("Cannot encrypt as key must be a Uint8Array");
  }
  const { byteLength } = key;
  if (byteLength < MIN_KEY_LENGTH || byteLength > MAX_KEY_LENGTH) {
    throw new RangeError(
      `Cannot encrypt as key must be ${MIN_KEY_LENGTH} to ${MAX_KEY_LENGTH} bytes: current length is ${byteLength}`,
    );
  }
  if (key.every((byte) => byte === key[0])) {
    throw new RangeError(
      "Cannot encrypt as key must be random: all its bytes are equal",
    );
  }
  if (context !== undefined && !(context instanceof Uint8Array)) {
    throw new TypeError("Cannot encrypt as context must be a Uint8Array");
  }
  if (role !== undefined && role !== "initiator" && role !== "responder") {
    throw new TypeError(
      `Cannot encrypt as role must be initiator or responder: current value is ${role}`,
    );
  }
  assertTime("handshakeTimeout", timeout);
}

/** All that can go wrong with a message is one and the same error. */
async function readMessage(
  state: HandshakeState,
  message: Uint8Array<ArrayBuffer>,
): Promise<void> {
  try {
    await state.readMessage(message);
  } catch {
    throw notAuthentic();
  }
}
