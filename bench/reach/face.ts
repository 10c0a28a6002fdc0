/**
 * Participant: a `Channel` with the face that its first argument names in place
 * of `send()` or `recv()`: `for-await`, `readable` or `writable`.
 *
 * @module
 */
import { Channel, type SocketStream } from "@sluice/sluice";
import { type Peer, play } from "../peers/_role.ts";
import { overTcp } from "../peers/_sluice.ts";

const [face, ...rest] = Deno.args;

function peer(stream: SocketStream): Peer {
  const channel = new Channel(stream);
  const reader = face === "readable" ? channel.readable.getReader() : undefined;
  const writer = face === "writable" ? channel.writable.getWriter() : undefined;
  const acknowledgement = new Uint8Array(8);
  return {
    async oneWay(payload, count) {
      if (writer) {
        for (let i = 0; i < count; i++) await writer.write(payload);
      } else {
        for (let i = 0; i < count; i++) await channel.send(payload);
      }
      await channel.flush();
      await (reader?.read() ?? channel.recv());
    },
    async receive(_size, count) {
      let bytes = 0;
      let left = count;
      if (face === "for-await") {
        for await (const message of channel) {
          bytes += message.byteLength;
          if (--left === 0) break;
        }
      } else if (reader) {
        while (left-- > 0) bytes += (await reader.read()).value!.byteLength;
      } else {
        while (left-- > 0) bytes += (await channel.recv())!.byteLength;
      }
      await (writer?.write(acknowledgement) ?? channel.send(acknowledgement));
      await channel.flush();
      return { count, bytes };
    },
    roundTrip: () => Promise.reject(new Error("Not measured")),
    echo: () => Promise.reject(new Error("Not measured")),
  };
}

await play(overTcp(peer), rest);
