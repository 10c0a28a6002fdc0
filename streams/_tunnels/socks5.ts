import { concat } from "jsr:@std/bytes@^1.0.6/concat";
import { ConnectionLostError, FramingError } from "../../errors.ts";
import { builtin } from "../_builtin.ts";
import { refuseOptions } from "../_refuse_options.ts";
import type { ProxyAddress, ProxyConversation } from "./proxy.ts";
import type { Target } from "./target.ts";

/** A SOCKS5 proxy (RFC 1928). */
export interface Socks5Proxy extends ProxyAddress {
  /** User name (RFC 1929), 1 to 255 bytes of UTF-8; goes with `password`. */
  username?: string;
  /** Password, 1 to 255 bytes of UTF-8; goes with `username`. */
  password?: string;
}

const VERSION = 5;
const AUTHENTICATION_VERSION = 1;
const METHOD = { none: 0, password: 2, refused: 0xff } as const;
const CONNECT = 1;
const ADDRESS = { ipv4: 1, name: 3, ipv6: 4 } as const;

/** The reply codes of RFC 1928, section 6. */
const REPLIES = [
  "succeeded",
  "general SOCKS server failure",
  "connection not allowed by ruleset",
  "network unreachable",
  "host unreachable",
  "connection refused",
  "TTL expired",
  "command not supported",
  "address type not supported",
];

/** Refuses what is no option, and credentials that SOCKS5 cannot carry. */
export function assertSocks5Proxy(
  { host: _host, port: _port, username, password, ...rest }: Socks5Proxy,
): void {
  refuseOptions("connect through a SOCKS5 proxy", rest);
  if ((username === undefined) !== (password === undefined)) {
    throw new TypeError(
      "Cannot use the credentials as username and password go together",
    );
  }
  for (const [name, text] of Object.entries({ username, password })) {
    if (text === undefined) continue;
    const { byteLength } = encode(text);
    if (byteLength >= 1 && byteLength <= 255) continue;
    throw new RangeError(
      `Cannot use ${name} as its length must be from 1 to 255 bytes: current length is ${byteLength}`,
    );
  }
}

/** Asks a SOCKS5 proxy for a tunnel; the proxy resolves the name. */
export async function agreeSocks5(
  conversation: ProxyConversation,
  target: Target,
  proxy: Socks5Proxy,
): Promise<void> {
  await authenticate(conversation, proxy);
  await conversation.write(requestFor(target));
  const answer = await readStart(conversation, 4, [[0, VERSION], [2, 0]]);
  const [reply, addressType] = [answer[1]!, answer[3]!];
  if (reply !== 0) {
    const text = REPLIES[reply] ?? `unassigned reply code ${reply}`;
    throw new ConnectionLostError(
      conversation.because(`the proxy answered ${reply}, ${text}`),
    );
  }
  // The address that it connects from tells us nothing, and is in the way.
  await conversation.read(await addressLength(conversation, addressType) + 2);
}

async function authenticate(
  conversation: ProxyConversation,
  { username, password }: Socks5Proxy,
): Promise<void> {
  const methods: number[] = username === undefined
    ? [METHOD.none]
    : [METHOD.none, METHOD.password];
  await conversation.write(
    Uint8Array.of(VERSION, methods.length, ...methods),
  );
  const method = (await readStart(conversation, 2, [[0, VERSION]]))[1]!;
  if (method === METHOD.refused) {
    throw new ConnectionLostError(
      conversation.because(
        username === undefined
          ? "the proxy wants authentication"
          : "the proxy takes no user name and password",
      ),
    );
  }
  if (!methods.includes(method)) throw malformed(conversation, 1);
  if (method === METHOD.none) return;
  await conversation.write(concat([
    Uint8Array.of(AUTHENTICATION_VERSION),
    withLength(username ?? ""),
    withLength(password ?? ""),
  ]));
  const [, status] = await readStart(conversation, 2, [
    [0, AUTHENTICATION_VERSION],
  ]);
  if (status !== 0) {
    throw new ConnectionLostError(
      conversation.because("the proxy refused the user name or password"),
    );
  }
}

function requestFor({ host, port }: Target): Uint8Array {
  return concat([
    Uint8Array.of(VERSION, CONNECT, 0),
    addressOf(host),
    Uint8Array.of(port >> 8, port & 0xff),
  ]);
}

function addressOf(host: string): Uint8Array {
  const { isIPv4, isIPv6 } = builtin("node:net");
  if (isIPv4(host)) {
    return Uint8Array.of(ADDRESS.ipv4, ...host.split(".").map(Number));
  }
  if (isIPv6(host)) return Uint8Array.of(ADDRESS.ipv6, ...ipv6Bytes(host));
  return concat([Uint8Array.of(ADDRESS.name), withLength(host)]);
}

/** The 16 bytes of an IPv6 address. */
function ipv6Bytes(host: string): number[] {
  // The URL parser writes an embedded IPv4 address in hexadecimal too.
  const text = new URL(`http://[${host}]/`).hostname.slice(1, -1);
  const [head = [], tail] = text.split("::").map((half) =>
    half === "" ? [] : half.split(":").map((group) => parseInt(group, 16))
  );
  const groups = tail === undefined
    ? head
    : [...head, ...Array(8 - head.length - tail.length).fill(0), ...tail];
  return groups.flatMap((group) => [group >> 8, group & 0xff]);
}

/** How long the address in the reply is, in bytes. */
async function addressLength(
  conversation: ProxyConversation,
  addressType: number,
): Promise<number> {
  switch (addressType) {
    case ADDRESS.ipv4:
      return 4;
    case ADDRESS.ipv6:
      return 16;
    case ADDRESS.name:
      return (await conversation.read(1))[0]!;
    default:
      throw malformed(conversation, 1);
  }
}

/** Reads `count` bytes, of which some must have a certain value. */
async function readStart(
  conversation: ProxyConversation,
  count: number,
  wanted: [index: number, value: number][],
): Promise<Uint8Array> {
  const bytes = await conversation.read(count);
  for (const [index, value] of wanted) {
    if (bytes[index] !== value) throw malformed(conversation, count - index);
  }
  return bytes;
}

/** @param back How many bytes before the last that was read it goes wrong. */
function malformed(
  conversation: ProxyConversation,
  back: number,
): FramingError {
  const offset = conversation.offset - back;
  return new FramingError(
    conversation.because(
      `the proxy's answer is not SOCKS5 at offset ${offset}`,
    ),
    { offset },
  );
}

function withLength(text: string): Uint8Array {
  const bytes = encode(text);
  return concat([Uint8Array.of(bytes.byteLength), bytes]);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
