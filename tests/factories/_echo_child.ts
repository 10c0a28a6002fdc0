/**
 * Sends back what it receives on its standard input, on its standard output:
 * encrypted where `SLUICE_TEST_KEY` holds a key in hexadecimal digits.
 */

import { decodeHex } from "@std/encoding/hex";
import { Channel, EncryptedChannel, PipeStream } from "@sluice/sluice";
import { echo } from "./_support.ts";

const key = Deno.env.get("SLUICE_TEST_KEY");
const stream = PipeStream.fromStdio();
await using channel = key === undefined
  ? new Channel(stream)
  : new EncryptedChannel(stream, decodeHex(key), { role: "responder" });
await echo(channel);
