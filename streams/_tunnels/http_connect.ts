import { encodeBase64 } from "jsr:@std/encoding@^1.0.11/base64";
import {
  BufferOverflowError,
  ConnectionLostError,
  FramingError,
} from "../../errors.ts";
import { refuseOptions } from "../_refuse_options.ts";
import type { ProxyAddress, ProxyConversation } from "./proxy.ts";
import { authorityOf, type Target } from "./target.ts";

/** An HTTP proxy that knows CONNECT (RFC 9110, section 9.3.6). */
export interface HttpConnectProxy extends ProxyAddress {
  /** User name for Basic authentication (RFC 7617); without a colon. */
  username?: string;
  /** Password, empty by default; goes with `username`. */
  password?: string;
}

/** All headers of the proxy's answers together, in bytes; common servers allow 8 to 16 KiB. */
const MAX_HEAD_SIZE = 16_384;
const START = new TextEncoder().encode("HTTP/1.");
const CR = 0x0d;
const LF = 0x0a;
const END = Uint8Array.of(CR, LF, CR, LF);
const HTAB = 0x09;
const SPACE = 0x20;
const DELETE = 0x7f;

/** Refuses what is no option, and credentials that Basic authentication cannot carry. */
export function assertHttpConnectProxy(
  { host: _host, port: _port, username, password, ...rest }: HttpConnectProxy,
): void {
  refuseOptions("connect through an HTTP proxy", rest);
  if (username === undefined && password === undefined) return;
  if (username === undefined) {
    throw new TypeError("Cannot use a password as username goes with it");
  }
  if (username.includes(":") || /\p{Cc}/u.test(username + (password ?? ""))) {
    throw new TypeError(
      "Cannot use the credentials as Basic authentication allows no colon in a user name, and no control character",
    );
  }
}

/** Asks an HTTP proxy for a tunnel. */
export async function agreeHttpConnect(
  conversation: ProxyConversation,
  target: Target,
  proxy: HttpConnectProxy,
): Promise<void> {
  await conversation.write(requestFor(target, proxy));
  for (;;) {
    const { status, reason } = await readHead(conversation);
    if (status >= 200 && status <= 299) return; // RFC 9110: all of these mean success.
    if (status >= 100 && status <= 199 && status !== 101) continue; // Interim.
    throw new ConnectionLostError(
      conversation.because(`the proxy answered ${status} ${reason}`.trim()),
    );
  }
}

function requestFor(
  target: Target,
  { username, password = "" }: HttpConnectProxy,
): Uint8Array {
  const authority = authorityOf(target);
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
  if (username !== undefined) {
    lines.push(
      `Proxy-Authorization: Basic ${encodeBase64(`${username}:${password}`)}`,
    );
  }
  return new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
}

/**
 * Reads a response up to the empty line, and no byte more: at most as many at a
 * time as the rest of the line breaks that end it, 1 to 4.
 */
async function readHead(
  conversation: ProxyConversation,
): Promise<{ status: number; reason: string }> {
  const start = conversation.offset;
  const head: number[] = [];
  for (let matched = 0; matched < END.byteLength;) {
    const count = END.byteLength - matched;
    const size = conversation.offset + count;
    if (size > MAX_HEAD_SIZE) {
      throw new BufferOverflowError(
        conversation.because(
          `the header of the proxy's answer must be <= ${MAX_HEAD_SIZE} bytes: current length is at least ${size}`,
        ),
        { size, limit: MAX_HEAD_SIZE },
      );
    }
    for (const byte of await conversation.read(count)) {
      if (!mayFollow(head, byte)) throw malformed(start + head.length);
      head.push(byte);
      matched = byte === END[matched] ? matched + 1 : 0;
    }
  }
  const line = String.fromCharCode(...head.slice(0, head.indexOf(CR)));
  const parts = /^HTTP\/1\.\d ([1-9]\d\d)(?: (.*))?$/.exec(line);
  if (!parts) throw malformed(start);
  return { status: Number(parts[1]), reason: (parts[2] ?? "").slice(0, 200) };

  function malformed(offset: number): FramingError {
    return new FramingError(
      conversation.because(
        `the proxy's answer is no HTTP/1 response at offset ${offset}`,
      ),
      { offset },
    );
  }
}

/** Whether `byte` can come next in a header: what is not HTTP is told by its first bytes. */
function mayFollow(head: number[], byte: number): boolean {
  if (head.length < START.byteLength) return byte === START[head.length];
  if (head.at(-1) === CR) return byte === LF;
  if (byte === CR || byte === HTAB) return true;
  return byte >= SPACE && byte !== DELETE;
}
