/**
 * Sluice as one would write it: `await send()` for each message, `await recv()`
 * for each message.
 *
 * @module
 */
import { type Channel, SocketStream } from "@sluice/sluice";
import { type Participant, type Peer, play } from "./_role.ts";

/**
 * Takes part with the channel that `open` makes.
 *
 * @param flush Whether a round trip flushes after it sent, as a channel that
 * waits for a batch to fill has to.
 */
export async function playChannel(
  open: (stream: SocketStream) => Channel,
  { flush = false }: { flush?: boolean } = {},
): Promise<void> {
  const makePeer = async (stream: SocketStream) => {
    const channel = open(stream);
    await channel.ready;
    return {
      async oneWay(payload: Uint8Array, count: number) {
        for (let i = 0; i < count; i++) await channel.send(payload);
        await channel.flush();
        await channel.recv();
      },
      async roundTrip(payload: Uint8Array, count: number) {
        for (let i = 0; i < count; i++) {
          await channel.send(payload);
          if (flush) await channel.flush();
          await channel.recv();
        }
      },
      async receive(_size: number, count: number) {
        let bytes = 0;
        for (let i = 0; i < count; i++) {
          const message = await channel.recv();
          bytes += message!.byteLength;
        }
        await channel.send(new Uint8Array(8));
        await channel.flush();
        return { count, bytes };
      },
      async echo(_size: number, count: number) {
        let bytes = 0;
        for (let i = 0; i < count; i++) {
          const message = await channel.recv();
          bytes += message!.byteLength;
          await channel.send(message!);
          if (flush) await channel.flush();
        }
        return { count, bytes };
      },
    };
  };
  await play(overTcp(makePeer));
}

/** A participant whose two ends are streams over TCP. */
export function overTcp(
  makePeer: (stream: SocketStream) => Promise<Peer> | Peer,
): Participant {
  return {
    async listen(onListen) {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      onListen(listener.addr.port);
      const conn = await listener.accept();
      conn.setNoDelay(true);
      return await makePeer(new SocketStream(conn));
    },
    async connect(port) {
      return await makePeer(await SocketStream.connect("127.0.0.1", port));
    },
  };
}

/** The key that both processes of an encrypted participant were given. */
export async function sharedKey(): Promise<Uint8Array> {
  return await Deno.readFile(`${Deno.args[1]}/key`);
}
