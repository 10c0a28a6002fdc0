/**
 * A child process that connects its standard input and output to a socket, so
 * that a test holds both ends of its pipes.
 *
 * @module
 */

import { PipeStream, SocketStream } from "@sluice/sluice/streams";

const stdio = PipeStream.fromStdio();
const socket = await SocketStream.connect("127.0.0.1", Number(Deno.args[0]));
console.log("connected"); // Must not reach the protocol.
const up = stdio.readable.pipeTo(socket.writable);
up.catch(() => Deno.exit(1));
try {
  await socket.readable.pipeTo(stdio.writable);
} catch {
  Deno.exit(1);
}
// The platform closes standard output at the exit only, so this is our end.
Deno.exit(0);
