/**
 * Participant: many connections at once, over which the messages are spread
 * evenly. Arguments: `channels`, or `bytes` for what the platform alone does with
 * the same bytes, and how many.
 *
 * @module
 */
import { Channel, SocketStream } from "@sluice/sluice";
import { drain, fill, READ_SIZE, writeAll } from "../peers/_deno_bytes.ts";
import { type Peer, play } from "../peers/_role.ts";

/** One of the connections. */
interface Lane {
  /** Sends `payload` `count` times, then waits for the acknowledgement. */
  send(payload: Uint8Array, count: number): Promise<void>;
  /** Receives `count` messages of `size` bytes, then acknowledges; gives their bytes. */
  receive(size: number, count: number): Promise<number>;
}

const [kind, total, ...rest] = Deno.args;
const ACKNOWLEDGEMENT = new Uint8Array(8);

function channelLane(conn: Deno.TcpConn): Lane {
  const channel = new Channel(new SocketStream(conn));
  return {
    async send(payload, count) {
      for (let i = 0; i < count; i++) await channel.send(payload);
      await channel.flush();
      await channel.recv();
    },
    async receive(_size, count) {
      let bytes = 0;
      for (let i = 0; i < count; i++) {
        bytes += (await channel.recv())!.byteLength;
      }
      await channel.send(ACKNOWLEDGEMENT);
      await channel.flush();
      return bytes;
    },
  };
}

/** As many bytes as those messages, in writes of the length that a channel's have. */
function byteLane(conn: Deno.TcpConn): Lane {
  const written = new Uint8Array(64_000);
  const read = new Uint8Array(READ_SIZE);
  return {
    async send({ byteLength }, count) {
      for (let left = byteLength * count; left > 0;) {
        const chunk = written.subarray(0, left);
        await writeAll(conn, chunk);
        left -= chunk.byteLength;
      }
      await fill(conn, new Uint8Array(ACKNOWLEDGEMENT.byteLength));
    },
    async receive(size, count) {
      await drain(conn, read, size * count);
      await writeAll(conn, ACKNOWLEDGEMENT);
      return size * count;
    },
  };
}

function peer(lanes: readonly Lane[]): Peer {
  const share = (count: number, i: number) =>
    Math.floor((count + i) / lanes.length);
  return {
    async oneWay(payload, count) {
      await Promise.all(
        lanes.map((lane, i) => lane.send(payload, share(count, i))),
      );
    },
    async receive(size, count) {
      const received = await Promise.all(
        lanes.map((lane, i) => lane.receive(size, share(count, i))),
      );
      return { count, bytes: received.reduce((sum, bytes) => sum + bytes) };
    },
    roundTrip: () => Promise.reject(new Error("Not measured")),
    echo: () => Promise.reject(new Error("Not measured")),
  };
}

const makeLane = kind === "channels" ? channelLane : byteLane;

await play({
  async listen(onListen) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    onListen(listener.addr.port);
    const lanes = [];
    while (lanes.length < Number(total)) {
      lanes.push(makeLane(await listener.accept()));
    }
    return peer(lanes);
  },
  async connect(port) {
    const lanes = [];
    while (lanes.length < Number(total)) {
      lanes.push(makeLane(await Deno.connect({ hostname: "127.0.0.1", port })));
    }
    return peer(lanes);
  },
}, rest);
