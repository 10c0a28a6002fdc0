import { assert, assertEquals } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { Channel } from "@sluice/sluice";
import { peerTest } from "../_peers.ts";
import { rpycVersion } from "./_python.ts";
import { type Meeting, TRANSPORTS } from "./_transports.ts";
import golden5 from "./golden_conversation_5.json" with { type: "json" };
import golden6 from "./golden_conversation_6.json" with { type: "json" };

/** The message within a golden frame. */
function messageOf(frame: string): Uint8Array {
  return decodeHex(frame).subarray(5, -1);
}

/** Sends RPyC's own ping and checks the answer, byte for byte. */
async function ping(channel: Channel): Promise<void> {
  const { messages } = await rpycVersion() === 5 ? golden5 : golden6;
  const [question, answer] = messages.map(([_direction, frame]) => frame);
  assert(question !== undefined && answer !== undefined);
  await channel.send(messageOf(question));
  const message = await channel.recv();
  assertEquals(encodeHex(message!), encodeHex(messageOf(answer)));
}

async function pingTwice(meeting: Meeting): Promise<void> {
  await using channel = new Channel(meeting.stream);
  await ping(channel);
  // Empty frames are keep-alives for RPyC: neither an answer nor an error.
  for (let i = 0; i < 10; i++) {
    await channel.send(new Uint8Array());
    // RPyC waits on the socket: it misses a second frame of one TLS record.
    await channel.flush();
  }
  await ping(channel);
  await channel.close();
  await meeting.finish();
}

for (const { name, needs, connect, accept } of TRANSPORTS) {
  peerTest(
    needs,
    `rpyc.Connection answers a ping frame over ${name}, empty frames before it or not`,
    async () => {
      await using meeting = await connect("service_peer.py", []);
      await pingTwice(meeting);
    },
  );

  if (!accept) continue;
  peerTest(
    needs,
    `rpyc.Connection that connected over ${name} answers a ping frame`,
    async () => {
      await using meeting = await accept("service_peer.py", []);
      await pingTwice(meeting);
    },
  );
}
