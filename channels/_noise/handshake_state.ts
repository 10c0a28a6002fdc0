import { concat } from "jsr:@std/bytes@^1.0.6/concat";
import { TAG_LENGTH } from "./aes_gcm.ts";
import { SymmetricState, type TrafficKeys } from "./symmetric_state.ts";
import {
  DH_LENGTH,
  diffieHellman,
  generateKeyPair,
  type KeyPair,
} from "./x25519.ts";

/** What a handshake message is made of (Noise, sections 7.1 and 9). */
export type Token = "e" | "s" | "ee" | "es" | "se" | "ss" | "psk";

/** A handshake pattern of Noise, with its modifiers applied. */
export interface HandshakePattern {
  /** Its name in the protocol name, as in `NNpsk0`. */
  readonly name: string;
  /** The initiator's pre-message. */
  readonly initiatorPreMessage?: readonly Token[];
  /** The responder's pre-message. */
  readonly responderPreMessage?: readonly Token[];
  /** The messages, of the initiator and the responder in turn. */
  readonly messages: readonly (readonly Token[])[];
}

/** What one side brings to a handshake. */
export interface HandshakeOptions {
  /** Whether this side sends the first message. */
  readonly initiator: boolean;
  /** What both sides must agree on. */
  readonly prologue: Uint8Array;
  /** One key for each `psk` token, in order. */
  readonly psks?: readonly Uint8Array<ArrayBuffer>[];
  /** Our static key pair s. */
  readonly staticKeyPair?: KeyPair;
  /** The peer's static public key rs, where it is known before. */
  readonly remoteStaticKey?: Uint8Array<ArrayBuffer>;
  /** Our ephemeral key pair e: for test vectors, fresh otherwise. */
  readonly ephemeralKeyPair?: KeyPair;
}

/**
 * The HandshakeState of Noise, section 5.3, for 25519, AESGCM and SHA256: it
 * interprets the tokens of any pattern. The secure stream needs NNpsk0 alone; static
 * keys and pre-messages are here so that published test vectors can be run.
 *
 * Methods reject if a message is malformed or not authentic, and the state is of
 * no further use then.
 */
export class HandshakeState {
  readonly #symmetric: SymmetricState;
  readonly #initiator: boolean;
  readonly #messages: (readonly Token[])[];
  /** Whether ephemeral public keys are mixed into the key too (section 9.2). */
  readonly #pskMode: boolean;
  readonly #psks: Uint8Array<ArrayBuffer>[];
  readonly #s?: KeyPair;
  #e?: KeyPair;
  #rs?: Uint8Array<ArrayBuffer>;
  #re?: Uint8Array<ArrayBuffer>;

  private constructor(
    symmetric: SymmetricState,
    pattern: HandshakePattern,
    options: HandshakeOptions,
  ) {
    this.#symmetric = symmetric;
    this.#initiator = options.initiator;
    this.#messages = [...pattern.messages];
    this.#pskMode = pattern.messages.some((tokens) => tokens.includes("psk"));
    this.#psks = [...options.psks ?? []];
    this.#s = options.staticKeyPair;
    this.#e = options.ephemeralKeyPair;
    this.#rs = options.remoteStaticKey;
  }

  /** `Initialize(handshake_pattern, initiator, prologue, s, e, rs)`. */
  static async create(
    pattern: HandshakePattern,
    options: HandshakeOptions,
  ): Promise<HandshakeState> {
    const symmetric = await SymmetricState.create(
      `Noise_${pattern.name}_25519_AESGCM_SHA256`,
    );
    await symmetric.mixHash(options.prologue);
    const state = new HandshakeState(symmetric, pattern, options);
    await state.#mixPreMessage(pattern.initiatorPreMessage, options.initiator);
    await state.#mixPreMessage(pattern.responderPreMessage, !options.initiator);
    return state;
  }

  /** The hash of everything that both sides have seen so far. */
  get handshakeHash(): Uint8Array<ArrayBuffer> {
    return this.#symmetric.handshakeHash;
  }

  /** `WriteMessage(payload)`. */
  async writeMessage(
    payload: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (const token of this.#nextTokens()) {
      if (token === "e") {
        this.#e ??= await generateKeyPair();
        parts.push(this.#e.publicKey);
        await this.#mixEphemeral(this.#e.publicKey);
      } else if (token === "s") {
        parts.push(await this.#symmetric.encryptAndHash(this.#s!.publicKey));
      } else {
        await this.#mixSecret(token);
      }
    }
    parts.push(await this.#symmetric.encryptAndHash(payload));
    return concat(parts);
  }

  /** `ReadMessage(message)`, which gives the payload. */
  async readMessage(
    message: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    let rest = message;
    const take = (length: number) => {
      const part = rest.subarray(0, length);
      rest = rest.subarray(length);
      return part;
    };
    for (const token of this.#nextTokens()) {
      if (token === "e") {
        this.#re = take(DH_LENGTH);
        await this.#mixEphemeral(this.#re);
      } else if (token === "s") {
        const tag = this.#symmetric.hasKey ? TAG_LENGTH : 0;
        this.#rs = await this.#symmetric.decryptAndHash(take(DH_LENGTH + tag));
      } else {
        await this.#mixSecret(token);
      }
    }
    return await this.#symmetric.decryptAndHash(rest);
  }

  /** `Split()`, after the last message. The caller owns the keys and wipes them. */
  split(): Promise<TrafficKeys> {
    return this.#symmetric.split();
  }

  #nextTokens(): readonly Token[] {
    const tokens = this.#messages.shift();
    if (!tokens) {
      throw new TypeError("Cannot go on as the handshake is complete");
    }
    return tokens;
  }

  async #mixPreMessage(
    tokens: readonly Token[] = [],
    ours: boolean,
  ): Promise<void> {
    for (const token of tokens) {
      if (token !== "s") throw new TypeError(`Cannot mix pre-message ${token}`);
      await this.#symmetric.mixHash(ours ? this.#s!.publicKey : this.#rs!);
    }
  }

  async #mixEphemeral(publicKey: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#symmetric.mixHash(publicKey);
    if (this.#pskMode) await this.#symmetric.mixKey(publicKey);
  }

  async #mixSecret(token: Exclude<Token, "e" | "s">): Promise<void> {
    if (token === "psk") {
      const psk = this.#psks.shift()!;
      await this.#symmetric.mixKeyAndHash(psk);
      psk.fill(0);
      return;
    }
    // The first letter names the initiator's key, the second the responder's.
    const [ours, theirs] = this.#initiator
      ? [token[0], token[1]]
      : [token[1], token[0]];
    const secret = await diffieHellman(
      (ours === "e" ? this.#e : this.#s)!.privateKey,
      (theirs === "e" ? this.#re : this.#rs)!,
    );
    await this.#symmetric.mixKey(secret);
    secret.fill(0);
  }
}
