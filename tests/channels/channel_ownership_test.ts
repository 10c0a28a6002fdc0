import { assert, assertEquals, assertLess } from "@std/assert";
import { Buffer } from "node:buffer";
import {
  BufferedStream,
  Channel,
  EncryptedChannel,
  MonitoredStream,
} from "@sluice/sluice";
import {
  bareEnds,
  channelsOver,
  type Ends,
  frameOf,
  JOINTS,
  memoryEnds,
  noise,
  pairOf,
  runDeno,
  settle,
} from "./_support.ts";
import { CHUNK_CAPACITY, takeBuffer } from "../../channels/_chunk_pool.ts";
import { ScriptedStream, ScriptedTransport } from "../streams/_scripted.ts";

/** Options of channels that pass a message on in different ways. */
const KINDS = {
  plain: {},
  batching: { batching: { size: 3, timeout: 5 } },
  compressing: { compression: { threshold: 0 } },
};

const ALL_JOINTS = {
  ...JOINTS,
  // A write into it settles long before its chunk is read.
  "a bare pair that buffers": () => bareEnds({ buffer: 50 }),
  "streams of ours around such a pair": () => {
    const { near, far } = bareEnds({ buffer: 50 });
    return {
      near: new MonitoredStream(near),
      far: new BufferedStream(new MonitoredStream(far)),
    };
  },
};

for (const [joint, ends] of Object.entries(ALL_JOINTS)) {
  for (const [kind, options] of Object.entries(KINDS)) {
    Deno.test(`Channel, ${kind}, lets a message be reused once send() has resolved, over ${joint}`, async () => {
      await using channels = await channelsOver(ends(), options);
      const { near, far } = channels;
      const sizes = [
        1,
        5000,
        63_994,
        64_001,
        131_067,
        262_144,
        262_145,
        1 << 20,
      ];
      const received: Promise<Uint8Array | null>[] = [];
      const sent = (async () => {
        for (const size of sizes) {
          const message = noise(size);
          await near.send(message);
          message.fill(0xee); // Nobody may see this.
        }
        await near.flush();
      })();
      await settle(); // The reader is late, so that much is under way.
      for (const _ of sizes) received.push(far.recv());
      assertEquals(
        await Promise.all(received),
        sizes.map((size) => noise(size)),
      );
      await sent;
    });
  }

  Deno.test(`Channel copies a Buffer of Node like any other message, over ${joint}`, async () => {
    await using channels = await channelsOver(ends());
    const { near, far } = channels;
    for (const size of [100, 5000, 262_145, 1_500_000]) {
      const message = Buffer.from(noise(size));
      const sent = near.send(message).then(() => message.fill(0xee));
      await settle(); // The reader is late, so that a copy shows.
      assertEquals(await far.recv(), noise(size));
      await sent;
    }
  });

  Deno.test(`Channel gives every message memory that nothing writes again, over ${joint}`, async () => {
    await using channels = await channelsOver(ends());
    const { near, far } = channels;
    const sizes = Array.from({ length: 600 }, (_, n) => n * 37 % 9000);
    sizes[300] = 300_000;
    const sent = (async () => {
      for (const size of sizes) await near.send(noise(size));
      await near.flush();
    })();
    const kept: Uint8Array[] = [];
    for (const _ of sizes) kept.push((await far.recv())!);
    await sent;
    assertEquals(kept, sizes.map((size) => noise(size)));
    // Nor does a write to one show in another, or in what is yet to come.
    for (const message of kept.filter((_, n) => n % 2)) message.fill(0xee);
    await near.send(noise(50));
    assertEquals(await far.recv(), noise(50));
    for (let n = 0; n < kept.length; n += 2) {
      assertEquals(kept[n], noise(sizes[n]!));
    }
  });
}

for (const [kind, options] of Object.entries(KINDS)) {
  Deno.test(`Channel, ${kind}, sends over byte streams, which take the memory of each chunk away`, async () => {
    await using channels = await channelsOver(byteEnds(), options);
    const { near, far } = channels;
    for (const size of [1, 100, 900, 5000, 70_000, 262_145, 3_000_001]) {
      const message = noise(size);
      await Promise.all([near.send(message), near.send(message)]);
      assertEquals(await far.recv(), noise(size));
      assertEquals(await far.recv(), noise(size));
      assertEquals(message, noise(size));
    }
  });
}

Deno.test("EncryptedChannel sends over byte streams, which take the memory of each chunk away", async () => {
  const ends = byteEnds();
  const key = noise(32);
  await using near = new EncryptedChannel(ends.near, key);
  await using far = new EncryptedChannel(ends.far, key);
  for (const size of [1, 900, 70_000, 3_000_001]) {
    const message = noise(size);
    await Promise.all([near.send(message), near.send(message)]);
    assertEquals(await far.recv(), noise(size));
    assertEquals(await far.recv(), noise(size));
    assertEquals(message, noise(size));
  }
});

/** Two ends whose readable sides are byte streams. */
function byteEnds(): Ends {
  const make = () => {
    let source!: ReadableByteStreamController;
    return {
      readable: new ReadableStream({
        type: "bytes",
        start: (controller) => void (source = controller),
      }),
      writable: new WritableStream<Uint8Array<ArrayBuffer>>({
        write: (chunk) => source.enqueue(chunk),
        close: () => source.close(),
      }),
    };
  };
  const [there, back] = [make(), make()];
  return {
    near: { readable: back.readable, writable: there.writable },
    far: { readable: there.readable, writable: back.writable },
  };
}

Deno.test("Channel does not give out memory that it sends from", async () => {
  await using channels = await channelsOver(JOINTS["a bare pair"]());
  const { near, far } = channels;
  const message = noise(100);
  await near.send(message);
  const received = (await far.recv())!;
  assert(received.buffer !== message.buffer);
});

const KEEP = `
  import { Channel, SocketStream } from "@root/mod.ts";
  const COUNT = 100_000;
  const message = new Uint8Array(64).fill(7);
  async function held() {
    for (let i = 0; i < 3; i++) { gc(); await new Promise((r) => setTimeout(r, 10)); }
    const { heapUsed, external } = Deno.memoryUsage();
    return heapUsed + external;
  }
  async function measure(channel) {
    const kept = new Array(COUNT).fill(undefined);
    kept[0] = await channel.recv();
    const before = await held();
    for (let n = 1; n < COUNT; n++) kept[n] = await channel.recv();
    console.log("kept", (await held()) - before);
    if (kept.some((m) => m.length !== 64 || m[63] !== 7)) throw new Error("not equal");
  }
`;

Deno.test("Channel keeps 100,000 messages of 64 bytes, received one at a time over TCP, in less than 32 MiB", async () => {
  const { code, output } = await runDeno(
    `${KEEP}
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepted = listener.accept();
    const near = new Channel(await SocketStream.connect("127.0.0.1", listener.addr.port));
    const far = new Channel(new SocketStream(await accepted));
    listener.close();
    // Each goes out alone and is asked for alone: the sparsest of chunks.
    (async () => {
      for (let n = 0; n < COUNT; n++) {
        await near.send(message);
        await near.flush();
        if (n % 100 === 0) await near.recv();
      }
    })();
    const recv = far.recv.bind(far);
    let n = 0;
    far.recv = async () => {
      if (n++ % 100 === 0) await far.send(message);
      return recv();
    };
    await measure(far);
    await Promise.all([near.close(), far.close()]);
    `,
    { flags: ["--v8-flags=--expose-gc"] },
  );
  assertEquals(code, 0, output);
  assertLess(Number(output.match(/kept (-?\d+)/)![1]), 32 << 20);
});

Deno.test("Channel keeps 100,000 messages of 64 bytes, each from a chunk in 64 KiB of memory, in less than 32 MiB", async () => {
  const { code, output } = await runDeno(
    `${KEEP}
    const frame = new Uint8Array([0, 0, 0, 64, 0, ...message, 10]);
    const readable = new ReadableStream({
      pull(controller) {
        const chunk = new Uint8Array(65536).subarray(0, frame.length);
        chunk.set(frame);
        controller.enqueue(chunk);
      },
    }, { highWaterMark: 0 });
    const channel = new Channel({ readable, writable: new WritableStream() });
    await measure(channel);
    await channel.close();
    `,
    { flags: ["--v8-flags=--expose-gc"] },
  );
  assertEquals(code, 0, output);
  assertLess(Number(output.match(/kept (-?\d+)/)![1]), 32 << 20);
});

Deno.test("Channel lets one kept message keep no more than 64 KiB alive", async () => {
  // One huge chunk, and chunks that fill their memory little or much.
  const chunks = [100, 300, 900].map((count) => {
    const frames = new Uint8Array(count * 70 + 1 << 1);
    const wire = frames.subarray(0, count * 70);
    for (let at = 0; at < wire.length; at += 70) {
      wire.set(frameOf(noise(64)), at);
    }
    return wire;
  });
  const huge = new Uint8Array(70 * 20_000);
  for (let at = 0; at < huge.length; at += 70) huge.set(frameOf(noise(64)), at);
  const channel = new Channel(pairOf([...chunks, huge]));
  for await (const message of channel) {
    assertEquals(message.byteLength, 64);
    assert(message.buffer.byteLength <= 65_536);
  }
  await channel.close();
});

for (const kind of ["plain", "batching"] as const) {
  Deno.test(`Channel, ${kind}, sends from a few buffers, again and again`, async () => {
    const buffers = new Set<ArrayBufferLike>();
    class Spy extends ScriptedTransport {
      override async write(data: Uint8Array): Promise<void> {
        buffers.add(data.buffer);
        await settle();
      }
    }
    await using stream = new ScriptedStream(new Spy());
    const channel = new Channel(stream, KINDS[kind]);
    for (let i = 0; i < 100; i++) await channel.send(noise(60_000));
    await channel.flush();
    assertLess(buffers.size, 10);
    channel.abort();
  });
}

Deno.test("Channel does not take memory back that it gave to a bare pair, though that is sent on", async () => {
  const written: Uint8Array[] = [];
  const keeper = {
    readable: new ReadableStream<Uint8Array>(),
    writable: new WritableStream<Uint8Array>({
      write: (chunk) => void written.push(chunk),
    }),
  };
  const giver = new Channel(keeper);
  await giver.send(noise(131_066)); // With its frame just a whole buffer.
  await giver.flush();
  const chunk = written.find((chunk) => chunk.byteLength === 131_072)!;
  const before = chunk.slice();
  await using channels = await channelsOver(JOINTS["memory"]());
  const { near, far } = channels;
  await near.send(chunk);
  await far.recv();
  for (let i = 0; i < 5; i++) {
    await Promise.all([near.send(noise(100_000).fill(0xee)), far.recv()]);
  }
  assertEquals(chunk, before);
  giver.abort();
});

Deno.test("Channel goes on after a chunk of any length on a pair that takes memory away", async () => {
  const make = () => {
    let source!: ReadableByteStreamController;
    const readable = new ReadableStream({
      type: "bytes",
      start: (controller) => void (source = controller),
    });
    const writable = new WritableStream<Uint8Array<ArrayBuffer>>({
      write: (chunk) => source.enqueue(chunk), // Which detaches it.
      close: () => source.close(),
    });
    return { readable, writable };
  };
  const [there, back] = [make(), make()];
  await using channels = await channelsOver({
    near: { readable: back.readable, writable: there.writable },
    far: { readable: there.readable, writable: back.writable },
  });
  const { near, far } = channels;
  for (const size of [10, 1018, 1018, 63_994, 63_994, 131_066, 131_067, 1]) {
    await near.send(noise(size));
    assertEquals(await far.recv(), noise(size));
  }
});

Deno.test("BatchingChannel never writes into a message, even one that another channel made", async () => {
  // What a channel gives to somebody else's stream is that stream's.
  const given: Uint8Array[] = [];
  const sink = new WritableStream<Uint8Array>({
    write: (chunk) => void given.push(chunk),
  });
  await using first = new Channel({
    readable: new ReadableStream(),
    writable: sink,
  });
  await first.send(noise(131_066));
  await first.flush();
  const [message] = given;
  assertEquals(message!.byteLength, 131_072);
  const copy = message!.slice();

  for (const stallTimeout of [0, 5000]) {
    const batching = { size: 3, timeout: 5 };
    await using channels = await channelsOver(memoryEnds(), {
      batching,
      stallTimeout,
    });
    const { near, far } = channels;
    const received = far.recv();
    await near.send(message!);
    await near.flush();
    assertEquals(await received, copy);
    for (let i = 0; i < 10; i++) {
      assert(takeBuffer(CHUNK_CAPACITY).buffer !== message!.buffer);
    }
  }
});
