import { assert, assertEquals, assertRejects } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { encodeHex } from "@std/encoding/hex";
import { fromFileUrl } from "@std/path/from-file-url";
import {
  BatchingChannel,
  Channel,
  type ChannelOptions,
  ConnectionLostError,
} from "@sluice/sluice";
import { peerTest, rpyc } from "../_peers.ts";
import { converse, type Plan, planArguments } from "./_converse.ts";
import { startPython } from "./_python.ts";
import { TRANSPORTS } from "./_transports.ts";

const MIB = 1 << 20;
const PLAN: Plan = {
  // Around RPyC's threshold of compression, and the size at which it splits a write.
  sizes: [0, 1, 3000, 3001, 63994, 63995, 64000, MIB, 20 * MIB],
  kinds: ["random", "repeated"],
  seed: "channel_test",
};

const MODES = [
  { how: "plain", compression: false, flags: [] },
  // Level 1 as RPyC has it: the levels have tests of their own.
  { how: "compressed", compression: { level: 1 }, flags: ["--compress"] },
] as const;

for (const { name, needs, connect, accept } of TRANSPORTS) {
  for (const { how, compression, flags } of MODES) {
    const args = ["converse", ...flags, ...planArguments(PLAN)];

    peerTest(
      needs,
      `Channel connects to RPyC's over ${name}, and all sizes pass both ways, ${how}`,
      async () => {
        await using meeting = await connect("channel_peer.py", args);
        await using channel = new Channel(meeting.stream, { compression });
        await converse(channel, PLAN);
        await channel.close();
        await meeting.finish();
      },
    );

    if (!accept) continue;
    peerTest(
      needs,
      `Channel accepts RPyC's over ${name}, and all sizes pass both ways, ${how}`,
      async () => {
        await using meeting = await accept("channel_peer.py", args);
        await using channel = new Channel(meeting.stream, { compression });
        await converse(channel, PLAN);
        await channel.close();
        await meeting.finish();
      },
    );
  }
}

for (const { how, compression, flags } of MODES) {
  peerTest(
    rpyc,
    `Channel over its own standard input and output serves the RPyC that spawned it, ${how}`,
    async () => {
      const child = fromFileUrl(new URL("_converse.ts", import.meta.url));
      const config = fromFileUrl(new URL("../../deno.json", import.meta.url));
      await using peer = await startPython("channel_peer.py", [
        "converse",
        ...flags,
        ...planArguments(PLAN),
        "--spawn",
        ...[Deno.execPath(), "run", "--no-check", "--allow-all"],
        ...["--config", config, child],
        JSON.stringify({ ...PLAN, compression }),
      ]);
      await peer.finish();
    },
  );
}

/** Messages of all kinds of small sizes, empty ones among them. */
const SMALL = Array.from(
  { length: 5000 },
  (_, index) => new Uint8Array(index % 7 * 9).fill(index),
);

async function digest(messages: Uint8Array[]): Promise<string> {
  const parts = messages.flatMap((message) => {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, message.length);
    return [length, message];
  });
  const hash = await crypto.subtle.digest("SHA-256", concat(parts));
  return encodeHex(hash);
}

const BATCHES: [
  string,
  new (...args: ConstructorParameters<typeof Channel>) => Channel,
  ChannelOptions,
][] = [
  ["that leave together", Channel, {}],
  ["of a BatchingChannel", BatchingChannel, {}],
];

for (const [what, Class, options] of BATCHES) {
  peerTest(
    rpyc,
    `RPyC's Channel reads messages ${what} as they are`,
    async () => {
      const [{ connect }] = TRANSPORTS;
      const args = ["digest", "--count", `${SMALL.length}`];
      await using meeting = await connect("channel_peer.py", args);
      await using channel = new Class(meeting.stream, options);
      await Promise.all(SMALL.map((message) => channel.send(message)));
      const answer = await channel.recv();
      assertEquals(new TextDecoder().decode(answer!), await digest(SMALL));
      // Otherwise nothing was batched, and the test shows nothing.
      assert(
        channel.stats.writes < SMALL.length / 5,
        `${channel.stats.writes}`,
      );
      await channel.close();
      await meeting.finish();
    },
  );
}

peerTest(
  rpyc,
  "Channel takes apart what RPyC's Channel wrote at once",
  async () => {
    const [{ connect }] = TRANSPORTS;
    const args = ["burst", "--count", "5000"];
    await using meeting = await connect("channel_peer.py", args);
    await using channel = new Channel(meeting.stream);
    for (let number = 0; number < 5000; number++) {
      const expected = number % 5 === 0 ? "" : `${number}`.repeat(3);
      const message = await channel.recv();
      assertEquals(new TextDecoder().decode(message!), expected);
    }
    await channel.close();
    await meeting.finish();
  },
);

for (const { name, needs, connect } of TRANSPORTS) {
  peerTest(
    needs,
    `Channel is lost when RPyC ends within a message over ${name}`,
    async () => {
      await using meeting = await connect("channel_peer.py", ["stall"]);
      await using channel = new Channel(meeting.stream);
      const error = await assertRejects(
        () => channel.recv(),
        ConnectionLostError,
      );
      assertEquals(await channel.finished, error);
      await meeting.finish();
    },
  );
}
