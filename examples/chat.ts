/**
 * A chat over a Unix socket: the server relays what one says to all others.
 *
 * ```sh
 * deno run -A examples/chat.ts serve /tmp/chat/socket
 * deno run -A examples/chat.ts join /tmp/chat/socket Ada
 * ```
 *
 * Whoever may enter the folder may join: give it mode 700. Outside this
 * repository, import from `jsr:@sluice/sluice`.
 *
 * @module
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { type Channel, connect, serve } from "@sluice/sluice";

/** A member who is this far behind, in bytes, is dropped rather than waited for. */
const MAX_BEHIND = 65_536;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

async function serveChat(path: string): Promise<void> {
  const members = new Set<Channel>();
  const say = (text: string, except?: Channel): void => {
    const message = encoder.encode(text);
    for (const member of members) {
      if (member === except) continue;
      if (member.stats.queuedBytes > MAX_BEHIND) {
        member.abort(new Error("Reads too slowly"));
      } else {
        member.send(message).catch(() => {}); // Its own recv() fails likewise.
      }
    }
  };
  const server = serve({
    path,
    maxMessageSize: 4096,
    onListen: () => console.log(`Listening on ${path}`),
  }, async (channel, { signal }) => {
    const name = await channel.recv({ signal }); // The first message.
    if (name === null) return;
    members.add(channel);
    say(`* ${decoder.decode(name)} has joined`);
    try {
      for (;;) {
        const message = await channel.recv({ signal });
        if (message === null) return;
        const text = decoder.decode(message);
        say(`${decoder.decode(name)}: ${text}`, channel);
      }
    } finally {
      members.delete(channel);
      say(`* ${decoder.decode(name)} has left`);
    }
  });
  Deno.addSignalListener("SIGINT", () => server.shutdown());
  await server.finished;
}

async function joinChat(path: string, name: string): Promise<void> {
  await using channel = await connect({ path });
  await channel.send(encoder.encode(name));
  // The end of our input ends our direction; the server then closes, and so
  // does the loop below. A failure ends that loop too, with the same error.
  Deno.stdin.readable
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream())
    .pipeThrough(new TextEncoderStream())
    .pipeTo(channel.writable)
    .catch(() => {});
  for await (const message of channel) console.log(decoder.decode(message));
}

const [command, path, name] = Deno.args;
if (command === "serve" && path) {
  await serveChat(path);
} else if (command === "join" && path && name) {
  await joinChat(path, name);
  Deno.exit(); // Or a terminal that waits for a line would keep us here.
} else {
  console.error("Usage: chat.ts serve PATH | chat.ts join PATH NAME");
  Deno.exitCode = 2;
}
