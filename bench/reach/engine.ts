/**
 * Participant: zlib alone at level 6, which sends nothing. The first argument is
 * `deflateSync` (of node:zlib) or `CompressionStream` (one for each message).
 *
 * @module
 */
import { deflateSync } from "node:zlib";
import { type Peer, play } from "../peers/_role.ts";

const [engine, ...rest] = Deno.args;

const peer: Peer = {
  async oneWay(payload, count) {
    const message = new Uint8Array(payload);
    for (let i = 0; i < count; i++) {
      if (engine === "deflateSync") deflateSync(message, { level: 6 });
      else await compress(message);
    }
  },
  receive: (size, count) => Promise.resolve({ count, bytes: size * count }),
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
