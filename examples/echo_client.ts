/**
 * Sends each line of standard input to the echo server, and prints what comes
 * back.
 *
 * ```sh
 * deno run --allow-net examples/echo_client.ts 7007
 * ```
 *
 * Outside this repository, import from `jsr:@sluice/sluice`.
 *
 * @module
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { connect, ConnectionLostError, StreamError } from "@sluice/sluice";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

try {
  await using channel = await connect({
    port: Number(Deno.args[0] ?? 7007),
    timeout: 5000,
  });
  const lines = Deno.stdin.readable
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  for await (const line of lines) {
    await channel.send(encoder.encode(line));
    const answer = await channel.recv();
    if (answer === null) throw new ConnectionLostError("The server has ended");
    console.log(decoder.decode(answer));
  }
} catch (error) {
  if (!(error instanceof StreamError)) throw error;
  console.error(error.message);
  Deno.exit(1); // Or a terminal that waits for a line would keep us here.
}
