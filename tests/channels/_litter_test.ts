import { assert, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { litter, makeLitter, oweLitter } from "../../channels/_litter.ts";

/** Whether `makeLitter` makes any. */
function makesLitter(): boolean {
  const before = litter;
  makeLitter();
  return litter !== before;
}

Deno.test("oweLitter leaves the litter for later, and makeLitter makes no more than is due", () => {
  makeLitter();
  const before = litter;
  oweLitter(65_536, 1);
  assertStrictEquals(litter, before);
  makeLitter();
  const first = litter;
  assertNotStrictEquals(first, before);
  makeLitter();
  assertStrictEquals(litter, first);
});

Deno.test("oweLitter takes into account what messages bring along, and adds up small memory", () => {
  makeLitter();
  oweLitter(65_536, 1000);
  assert(!makesLitter(), "many small messages are garbage enough");
  for (let i = 0; i < 5; i++) {
    oweLitter(1000, 1);
    assert(!makesLitter(), "a little is not worth a piece");
  }
  for (let i = 0; i < 15; i++) oweLitter(3000, 1);
  assert(makesLitter(), "what small messages left is due as well");
  oweLitter(16_000, 1);
  oweLitter(0, 100);
  oweLitter(16_000, 1);
  assert(!makesLitter(), "what others bring makes up for it, and no more");
});

for (const size of [1024, 65_536]) {
  Deno.test(`A receiver of messages of ${size} bytes needs far more young collections than full ones`, async () => {
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--v8-flags=--trace-gc", receiver(size)],
    }).output();
    assert(success);
    const trace = new TextDecoder().decode(stdout);
    const young = trace.match(/: Scavenge /g)?.length ?? 0;
    const full = trace.match(/Mark-Compact /g)?.length ?? 0;
    assert(young > 5 * full, `${young} young, ${full} full`);
  });
}

/** A program that has been at work for a while, and receives 1 GB in messages of `size` bytes. */
function receiver(size: number): string {
  const sender = (port: string) => `
    import { Channel, SocketStream } from "@sluice/sluice";
    const stream = await SocketStream.connect("127.0.0.1", ${port});
    const channel = new Channel(stream);
    const message = new Uint8Array(${size});
    for (let i = 0; i < 1e9 / ${size}; i++) await channel.send(message);
    await channel.close();
  `;
  return `
    import { Channel, SocketStream } from "@sluice/sluice";
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const sender = new Deno.Command(Deno.execPath(), {
      args: ["eval", \`${sender("${listener.addr.port}")}\`],
    }).spawn();
    const channel = new Channel(new SocketStream(await listener.accept()));
    // Who has kept some has a large space for young objects.
    const kept = [];
    for (let i = 0; i < 1e6; i++) kept.push({ i });
    for await (const _ of channel);
    await channel.close();
    await sender.status;
  `;
}
