import { assert, assertEquals, assertRejects } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { CipherState } from "../../../channels/_noise/cipher_state.ts";
import {
  type HandshakePattern,
  HandshakeState,
  type Token,
} from "../../../channels/_noise/handshake_state.ts";
import { importKeyPair } from "../../../channels/_noise/x25519.ts";
import { NOISE_INPUT, NOISE_VECTORS } from "../_vectors/noise.ts";

/** Noise, sections 7.4, 7.5 and 18.1: pre-messages before the colon, messages by turns. */
const PATTERNS: Record<string, string> = {
  N: "-,s: e es",
  K: "s,s: e es ss",
  X: "-,s: e es s ss",
  NN: "-,-: e | e ee",
  NK: "-,s: e es | e ee",
  NX: "-,-: e | e ee s es",
  XN: "-,-: e | e ee | s se",
  XK: "-,s: e es | e ee | s se",
  XX: "-,-: e | e ee s es | s se",
  KN: "s,-: e | e ee se",
  KK: "s,s: e es ss | e ee se",
  KX: "s,-: e | e ee se s es",
  IN: "-,-: e s | e ee se",
  IK: "-,s: e es s ss | e ee se",
  IX: "-,-: e s | e ee se s es",
  NK1: "-,s: e | e ee es",
  NX1: "-,-: e | e ee s | es",
  X1N: "-,-: e | e ee | s | se",
  X1K: "-,s: e es | e ee | s | se",
  XK1: "-,s: e | e ee es | s se",
  X1K1: "-,s: e | e ee es | s | se",
  X1X: "-,-: e | e ee s es | s | se",
  XX1: "-,-: e | e ee s | es s se",
  X1X1: "-,-: e | e ee s | es s | se",
  K1N: "s,-: e | e ee | se",
  K1K: "s,s: e es | e ee | se",
  KK1: "s,s: e | e ee se es",
  K1K1: "s,s: e | e ee es | se",
  K1X: "s,-: e | e ee s es | se",
  KX1: "s,-: e | e ee se s | es",
  K1X1: "s,-: e | e ee s | se es",
  I1N: "-,-: e s | e ee | se",
  I1K: "-,s: e es s | e ee | se",
  IK1: "-,s: e s | e ee se es",
  I1K1: "-,s: e s | e ee es | se",
  I1X: "-,-: e s | e ee s es | se",
  IX1: "-,-: e s | e ee se s | es",
  I1X1: "-,-: e s | e ee s | se es",
};

/** Applies the psk modifiers of a name (Noise, section 9.4). */
function patternOf(name: string): HandshakePattern {
  const [base, psk] = name.split("psk") as [string, string?];
  const [premessages, body] = PATTERNS[base]!.split(": ") as [string, string];
  const [initiatorPre, responderPre] = premessages.split(",").map((pre) =>
    (pre === "-" ? [] : [pre]) as Token[]
  );
  const messages = body.split(" | ").map((part) => part.split(" ") as Token[]);
  if (psk === "0") messages[0]!.unshift("psk");
  else if (psk !== undefined) messages[Number(psk) - 1]!.push("psk");
  return {
    name,
    initiatorPreMessage: initiatorPre,
    responderPreMessage: responderPre,
    messages,
  };
}

async function createSide(pattern: HandshakePattern, initiator: boolean) {
  const { initiator: ours, responder: theirs } = initiator
    ? NOISE_INPUT
    : { initiator: NOISE_INPUT.responder, responder: NOISE_INPUT.initiator };
  const premessage = initiator
    ? pattern.responderPreMessage
    : pattern.initiatorPreMessage;
  const remote = await importKeyPair(decodeHex(theirs.static));
  return await HandshakeState.create(pattern, {
    initiator,
    prologue: decodeHex(NOISE_INPUT.prologue),
    psks: [decodeHex(NOISE_INPUT.psk)],
    staticKeyPair: await importKeyPair(decodeHex(ours.static)),
    remoteStaticKey: premessage!.length > 0 ? remote.publicKey : undefined,
    ephemeralKeyPair: await importKeyPair(decodeHex(ours.ephemeral)),
  });
}

for (const vector of NOISE_VECTORS) {
  Deno.test(`HandshakeState agrees with the public vector of ${vector.name}`, async () => {
    const pattern = patternOf(vector.name);
    const initiator = await createSide(pattern, true);
    const responder = await createSide(pattern, false);
    const handshakeLength = pattern.messages.length;
    const payloads = NOISE_INPUT.payloads.map((payload) => decodeHex(payload));

    for (let i = 0; i < handshakeLength; i++) {
      const [sender, receiver] = i % 2 === 0
        ? [initiator, responder]
        : [responder, initiator];
      const message = await sender.writeMessage(payloads[i]!);
      assertEquals(encodeHex(message), vector.ciphertexts[i]);
      assertEquals(await receiver.readMessage(message), payloads[i]);
    }
    assertEquals(encodeHex(initiator.handshakeHash), vector.handshakeHash);
    assertEquals(encodeHex(responder.handshakeHash), vector.handshakeHash);

    const keys = await initiator.split();
    assertEquals(await responder.split(), keys);
    const seals = [
      await CipherState.create(keys.initiator),
      await CipherState.create(keys.responder),
    ];
    const opens = [
      await CipherState.create(keys.initiator),
      await CipherState.create(keys.responder),
    ];
    const none = new Uint8Array(0);
    for (let i = handshakeLength; i < payloads.length; i++) {
      // In a one-way pattern only the initiator sends.
      const direction = handshakeLength === 1 ? 0 : i % 2;
      const message = await seals[direction]!.encrypt(none, payloads[i]!);
      assertEquals(encodeHex(message), vector.ciphertexts[i]);
      assertEquals(await opens[direction]!.decrypt(none, message), payloads[i]);
    }
  });
}

Deno.test("HandshakeState knows every fundamental pattern, three psk places and the deferred ones", () => {
  assertEquals(NOISE_VECTORS.length, 59);
  const bases = new Set(NOISE_VECTORS.map(({ name }) => name.split("psk")[0]));
  assertEquals(bases.size, Object.keys(PATTERNS).length);
});

Deno.test("HandshakeState refuses every single flipped bit of both NNpsk0 messages", async () => {
  const pattern = patternOf("NNpsk0");
  const none = new Uint8Array(0);
  const first = await (await createSide(pattern, true)).writeMessage(none);
  let refused = 0;
  for (let bit = 0; bit < first.byteLength * 8; bit++) {
    const responder = await createSide(pattern, false);
    await assertRejects(() => responder.readMessage(flip(first, bit)));
    refused++;
  }
  const responder = await createSide(pattern, false);
  await responder.readMessage(first);
  const second = await responder.writeMessage(none);
  for (let bit = 0; bit < second.byteLength * 8; bit++) {
    const initiator = await createSide(pattern, true);
    await initiator.writeMessage(none);
    await assertRejects(() => initiator.readMessage(flip(second, bit)));
    refused++;
  }
  assertEquals(refused, 768);
});

Deno.test("HandshakeState refuses a public key of small order", async () => {
  const pattern = patternOf("NN");
  const initiator = await createSide(pattern, true);
  await initiator.writeMessage(new Uint8Array(0));
  await assertRejects(() => initiator.readMessage(new Uint8Array(48)));
});

Deno.test("HandshakeState wipes the psk once it is mixed in", async () => {
  const psk = decodeHex(NOISE_INPUT.psk);
  const initiator = await HandshakeState.create(patternOf("NNpsk0"), {
    initiator: true,
    prologue: new Uint8Array(0),
    psks: [psk],
  });
  await initiator.writeMessage(new Uint8Array(0));
  assert(psk.every((byte) => byte === 0));
});

function flip(bytes: Uint8Array, bit: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}
