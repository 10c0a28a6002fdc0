/**
 * Participant: zlib alone at level 6, which sends nothing. The first argument is
 * `deflateSync` (of node:zlib), `CompressionStream` (one for each message), or
 * `both-ends`: `deflateSync`, while the other process inflates as many messages, as
 * the receiver of a channel does.
 *
 * @module
 */
import { deflateSync, inflateSync } from "node:zlib";
import { jsonText } from "../_json_text.ts";
import { type Peer, play } from "../peers/_role.ts";

const [engine, ...rest] = Deno.args;

const peer: Peer = {
  async oneWay(payload, count) {
    const message = new Uint8Array(payload);
    for (let i = 0; i < count; i++) {
      if (engine === "CompressionStream") await compress(message);
      else deflateSync(message, { level: 6 });
    }
  },
  receive(size, count) {
    if (engine === "both-ends") {
      const data = deflateSync(jsonText(size), { level: 6 });
      for (let i = 0; i < count; i++) inflateSync(data);
    }
    return Promise.resolve({ count, bytes: size * count });
  },
  roundTrip: () => Promise.reject(new Error("Not measured")),
  echo: () => Promise.reject(new Error("Not measured")),
};

/** One writer and one reader: of the ways to use it, the one with the fewest hops. */
async function compress(message: Uint8Array<ArrayBuffer>): Promise<void> {
  const { readable, writable } = new CompressionStream("deflate");
  const writer = writable.getWriter();
  const written = writer.write(message).then(() => writer.close());
  const reader = readable.getReader();
  while (!(await reader.read()).done);
  await written;
}

await play({
  listen(onListen) {
    onListen(0);
    return Promise.resolve(peer);
  },
  connect: () => Promise.resolve(peer),
}, rest);
