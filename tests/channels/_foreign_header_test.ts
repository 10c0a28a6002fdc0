import { assertEquals } from "@std/assert";
import { describeForeignHeader } from "../../channels/_foreign_header.ts";

Deno.test("the error for an impossible length says what the peer may be", () => {
  const cases: [string | number[], string][] = [
    ["SLSC", " (the peer encrypts: a key is needed here too)"],
    [[0x16, 0x03, 0x01, 0x02], " (the peer may speak TLS)"],
    [[0x15, 0x03, 0x03, 0x00], " (the peer may speak TLS)"],
    [
      "GET ",
      ' (as text it is "GET ": the peer may speak another protocol, or print something)',
    ],
    [
      'a"\r\n',
      ' (as text it is "a\\"\\r\\n": the peer may speak another protocol, or print something)',
    ],
    [[0x06, 0x00, 0x00, 0x00], ""],
    [[0xff, 0xff, 0xff, 0xff], ""],
    [[0x41, 0x42, 0x43, 0x80], ""],
    [[0x18, 0x03, 0x03, 0x00], ""],
  ];
  for (const [header, hint] of cases) {
    const bytes = typeof header === "string"
      ? new TextEncoder().encode(header)
      : new Uint8Array(header);
    const length = new DataView(bytes.buffer).getUint32(0);
    assertEquals(describeForeignHeader(length), hint);
  }
});
