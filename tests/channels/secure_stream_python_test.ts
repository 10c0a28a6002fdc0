import { assert, assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { fromFileUrl } from "@std/path";
import type { SecureTestOptions } from "../../channels/_secure_handshake.ts";
import { SecureStream } from "../../channels/secure_stream.ts";
import { SocketStream } from "../../streams/socket_stream.ts";
import { peerTest, pyCryptography, python } from "../_peers.ts";
import { CONTEXT, KEY } from "./_secure.ts";

const SCRIPT = fromFileUrl(new URL("./python/secure_peer.py", import.meta.url));
const MAX_BODY = 65_518;
const ROLE_CODES = { auto: 0, initiator: 1, responder: 2 };

interface Report {
  role: number;
  digest: string;
  received: number;
  recordsReceived: number;
  recordsSent: number;
  rekeysReceived: number;
  rekeysSent: number;
}

/** What each side sends: one record for each index. The script has the same. */
function pattern(index: number): Uint8Array<ArrayBuffer> {
  const length = index % 1000 === 999 ? MAX_BODY : 1 + index * 7919 % 300;
  return new Uint8Array(length).fill(index * 31 % 251);
}

/** Lets the script talk to a secure stream of ours, and gives both reports. */
async function converse(
  role: keyof typeof ROLE_CODES,
  count: number,
  options: SecureTestOptions,
): Promise<{ theirs: Report; ours: { digest: string; received: number } }> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { rekeyInterval = 2 ** 20 } = options;
  const script = new Deno.Command(python(pyCryptography), {
    args: [
      SCRIPT,
      String(listener.addr.port),
      `--role=${ROLE_CODES[role]}`,
      `--key=${encodeHex(KEY)}`,
      `--context=${encodeHex(CONTEXT)}`,
      `--count=${count}`,
      `--rekey-interval=${rekeyInterval}`,
    ],
    stdout: "piped",
    stderr: "piped",
  }).output();
  await using stream = await SecureStream.open(
    new SocketStream(await listener.accept()),
    KEY,
    { context: CONTEXT, ...options },
  );
  const sending = (async () => {
    for (let i = 0; i < count; i++) await stream.write(pattern(i));
    await stream.closeWrite();
  })();
  const hash: Uint8Array[] = [];
  for await (const chunk of stream.readable) hash.push(chunk);
  const received = hash.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  const digest = await digestOf(hash);
  await sending;
  assertEquals(await stream.finished, undefined);
  const { success, stdout, stderr } = await script;
  assert(success, new TextDecoder().decode(stderr));
  const theirs: Report = JSON.parse(new TextDecoder().decode(stdout));
  return { theirs, ours: { digest, received } };
}

async function digestOf(chunks: readonly Uint8Array[]): Promise<string> {
  const bytes = await new Blob(chunks as Uint8Array<ArrayBuffer>[])
    .arrayBuffer();
  return encodeHex(await crypto.subtle.digest("SHA-256", bytes));
}

for (
  const [role, ours] of [
    ["initiator", "responder"],
    ["responder", "initiator"],
    ["auto", undefined],
    ["auto", "responder"],
    ["initiator", undefined],
  ] as const
) {
  const name = ours ?? "no role";
  peerTest(
    pyCryptography,
    `SecureStream with ${name} exchanges 10,000 records and ten new keys with a Python peer (${role})`,
    async () => {
      const count = 10_000;
      const sent = Array.from({ length: count }, (_, i) => pattern(i));
      const expected = {
        digest: await digestOf(sent),
        received: sent.reduce((sum, { byteLength }) => sum + byteLength, 0),
      };
      const options = { role: ours, rekeyInterval: 1000 };
      const { theirs, ours: seen } = await converse(role, count, options);
      assertEquals(seen, expected);
      assertEquals(theirs.digest, expected.digest);
      assertEquals(theirs.received, expected.received);
      // READY and CLOSE count too.
      const initiator = theirs.role === 1;
      assertEquals(theirs.recordsSent, count + 1 + Number(initiator));
      assertEquals(theirs.recordsReceived, count + 1 + Number(!initiator));
      assertEquals(theirs.rekeysSent, 10);
      assertEquals(theirs.rekeysReceived, 10);
      if (role !== "auto") assertEquals(theirs.role, ROLE_CODES[role]);
    },
  );
}

peerTest(
  pyCryptography,
  "SecureStream that sends nothing ends cleanly with a Python peer",
  async () => {
    const { theirs, ours } = await converse("initiator", 0, {});
    assertEquals([theirs.received, ours.received], [0, 0]);
    assertEquals(theirs.recordsSent, 2);
    assertEquals(theirs.recordsReceived, 1);
  },
);
