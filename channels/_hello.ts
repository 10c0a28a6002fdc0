import { concat } from "jsr:@std/bytes@^1.0.6/concat";
import { equals } from "jsr:@std/bytes@^1.0.6/equals";
import { notAuthentic } from "./_encryption_error.ts";
import type { SecureRole } from "./secure_options.ts";

/*
 * "SLSC" | version 1 | suite 1 | role | flags 0 | 24 random bytes
 */

/** The length of a HELLO, in bytes. */
export const HELLO_LENGTH = 32;
/** How many of them are random, so that no two connections have the same transcript. */
export const HELLO_RANDOM_LENGTH = 24;

/** What a HELLO begins with. */
export const MAGIC = "SLSC";
const MAGIC_VERSION_SUITE = new TextEncoder().encode(`${MAGIC}\x01\x01`);
const ROLE_OFFSET = 6;
const FLAGS_OFFSET = 7;
const AUTO = 0;
const INITIATOR = 1;
const RESPONDER = 2;

/** Makes our HELLO. */
export function encodeHello(
  role: SecureRole | undefined,
  random: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const code = role === undefined
    ? AUTO
    : role === "initiator"
    ? INITIATOR
    : RESPONDER;
  return concat([MAGIC_VERSION_SUITE, new Uint8Array([code, 0]), random]);
}

/** Whether the first bytes of a peer, however few, may begin a HELLO. */
export function mayBeHello(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.byteLength, MAGIC_VERSION_SUITE.byteLength);
  return equals(
    bytes.subarray(0, length),
    MAGIC_VERSION_SUITE.subarray(0, length),
  );
}

/**
 * Which side we are, from our HELLO and the peer's.
 *
 * @throws {EncryptionError} if the peer's is malformed, is our own sent back, or
 * claims the role that we have.
 */
export function resolveRole(ours: Uint8Array, theirs: Uint8Array): SecureRole {
  const ourRole = ours[ROLE_OFFSET]!;
  const theirRole = theirs[ROLE_OFFSET]!;
  if (
    !mayBeHello(theirs) || theirRole > RESPONDER ||
    theirs[FLAGS_OFFSET] !== 0 || equals(ours, theirs) ||
    (ourRole === theirRole && ourRole !== AUTO)
  ) {
    throw notAuthentic();
  }
  if (ourRole === AUTO && theirRole === AUTO) {
    return isLarger(ours, theirs) ? "initiator" : "responder";
  }
  return ourRole === INITIATOR || theirRole === RESPONDER
    ? "initiator"
    : "responder";
}

/** Whether `a` comes after `b`, compared as bytes from the first on. */
function isLarger(a: Uint8Array, b: Uint8Array): boolean {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at !== -1 && a[at]! > b[at]!;
}
