import { assert, assertEquals, assertLess } from "@std/assert";

/** What a program that receives 1 GB tells of itself. */
interface Report {
  /** Young and full collections. */
  young: number;
  full: number;
  /** Bytes of all buffers, and of memory in use. */
  external: number;
  rss: number;
}

// No ballast there.
const ignore = Deno.build.os === "windows";

for (const size of [1024, 65_536]) {
  Deno.test({
    name:
      `A receiver of messages of ${size} bytes needs far more young collections than full ones`,
    ignore,
    async fn() {
      const { young, full } = await receive(size);
      assert(young > 5 * full, `${young} young, ${full} full`);
    },
  });
}

Deno.test({
  name: "A busy receiver takes address space, which is no memory",
  ignore,
  async fn() {
    const { external, rss } = await receive(65_536);
    assertLess(1 << 30, external);
    assertLess(rss, 400 << 20);
  },
});

Deno.test("A busy receiver with a small heap takes less, which V8 can live with", async () => {
  for (const heap of [128, 512]) {
    const { external, full } = await receive(65_536, { heap });
    assertLess(external, heap * 2 << 20);
    assertLess(full, 60); // With all of the heap's size in use they are 100.
  }
});

Deno.test("A receiver goes on without ballast where that is not to be had", async () => {
  const { external } = await receive(65_536, { before: NO_LARGE_BUFFERS });
  assertLess(external, 400 << 20);
});

Deno.test("A receiver that wants none takes no ballast", async () => {
  const before = `
    import { disableHeapTuning } from "@sluice/sluice";
    disableHeapTuning();
  `;
  const { external } = await receive(65_536, { before });
  assertLess(external, 400 << 20);
});

Deno.test("A receiver of little takes no ballast", async () => {
  const { external } = await receive(1024, { total: 15_000 });
  assertLess(external, 100 << 20);
});

/** Lets no buffer be made that is larger than 10 MB. */
const NO_LARGE_BUFFERS = `
  const { ArrayBuffer } = globalThis;
  globalThis.ArrayBuffer = class extends ArrayBuffer {
    constructor(size, options) {
      if (size > 10_000_000) throw new RangeError("No address space is left");
      super(size, options);
    }
  };
`;

/**
 * Has a program receive `total` bytes in messages of `size` bytes, and drop them.
 *
 * @param heap The limit of its heap, in MiB.
 * @param before What it does first.
 */
async function receive(
  size: number,
  { total = 1e9, heap = 4096, before = "" } = {},
): Promise<Report> {
  const count = Math.floor(total / size);
  const sender = `
    import { Channel, SocketStream } from "@sluice/sluice";
    const stream = await SocketStream.connect("127.0.0.1", PORT);
    const channel = new Channel(stream);
    const message = new Uint8Array(${size});
    for (let i = 0; i < ${count}; i++) await channel.send(message);
    await channel.close();
  `;
  const receiver = `
    import { Channel, SocketStream } from "@sluice/sluice";
    ${before}
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const sender = new Deno.Command(Deno.execPath(), {
      args: ["eval", \`${sender}\`.replace("PORT", listener.addr.port)],
    }).spawn();
    const channel = new Channel(new SocketStream(await listener.accept()));
    // Who has kept some has a large space for young objects.
    const kept = [];
    for (let i = 0; i < 1e6; i++) kept.push({ i });
    let received = 0;
    for await (const _ of channel) received++;
    await channel.close();
    await sender.status;
    const { external, rss } = Deno.memoryUsage();
    console.log(JSON.stringify({ received, external, rss }));
  `;
  const flags = `--trace-gc,--max-old-space-size=${heap}`;
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", `--v8-flags=${flags}`, receiver],
  }).output();
  assert(success);
  const output = new TextDecoder().decode(stdout);
  const { received, external, rss } = JSON.parse(
    output.match(/\{"received"[^}]*\}/)![0],
  );
  assertEquals(received, count);
  return {
    young: output.match(/: Scavenge /g)?.length ?? 0,
    full: output.match(/Mark-Compact /g)?.length ?? 0,
    external,
    rss,
  };
}
