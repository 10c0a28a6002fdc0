import { MAGIC } from "./_hello.ts";

/**
 * What four bytes that are no length most likely are, for an error's message; `""` if
 * they say nothing. Whoever meets that error has nearly always mixed up two protocols.
 */
export function describeForeignHeader(length: number): string {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  const text = String.fromCharCode(...bytes);
  if (text === MAGIC) {
    return " (the peer encrypts: a key is needed here too)";
  }
  // RFC 8446, section 5.1: a record begins with its type and a version.
  const [type, version] = bytes;
  if (type! >= 0x14 && type! <= 0x17 && version === 0x03) {
    return " (the peer may speak TLS)";
  }
  if (!/^[\r\n\t -~]{4}$/.test(text)) return "";
  return ` (as text it is ${
    JSON.stringify(text)
  }: the peer may speak another protocol, or print something)`;
}
