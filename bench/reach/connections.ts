/**
 * Participant: as many channels at once as the first argument says, over which
 * the messages are spread evenly.
 *
 * @module
 */
import { Channel, SocketStream } from "@sluice/sluice";
import { type Peer, play } from "../peers/_role.ts";

const [connections, ...rest] = Deno.args;

function peer(channels: readonly Channel[]): Peer {
  const acknowledgement = new Uint8Array(8);
  const each = (
    count: number,
    work: (channel: Channel, share: number) => Promise<number>,
  ) =>
    Promise.all(
      channels.map((channel, i) =>
        work(channel, Math.floor((count + i) / channels.length))
      ),
    );
  return {
    async oneWay(payload, count) {
      await each(count, async (channel, share) => {
        for (let i = 0; i < share; i++) await channel.send(payload);
        await channel.flush();
        await channel.recv();
        return share;
      });
    },
    async receive(_size, count) {
      const received = await each(count, async (channel, share) => {
        let bytes = 0;
        for (let i = 0; i < share; i++) {
          bytes += (await channel.recv())!.byteLength;
        }
        await channel.send(acknowledgement);
        await channel.flush();
        return bytes;
      });
      return { count, bytes: received.reduce((sum, bytes) => sum + bytes) };
    },
    roundTrip: () => Promise.reject(new Error("Not measured")),
    echo: () => Promise.reject(new Error("Not measured")),
  };
}

await play({
  async listen(onListen) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    onListen(listener.addr.port);
    const channels = [];
    while (channels.length < Number(connections)) {
      channels.push(new Channel(new SocketStream(await listener.accept())));
    }
    return peer(channels);
  },
  async connect(port) {
    const channels = [];
    while (channels.length < Number(connections)) {
      channels.push(
        new Channel(await SocketStream.connect("127.0.0.1", port)),
      );
    }
    return peer(channels);
  },
}, rest);
