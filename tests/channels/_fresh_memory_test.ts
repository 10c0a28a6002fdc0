import {
  assert,
  assertEquals,
  assertNotStrictEquals,
  assertStrictEquals,
} from "@std/assert";
import {
  freshMemory,
  litter,
  makeLitter,
} from "../../channels/_fresh_memory.ts";

/** Receives 30,000 messages of 64 KiB and drops them. */
const RECEIVER = `
  import { Channel, PipeStream } from "@sluice/sluice";
  const [near, far] = PipeStream.createPair();
  const [sender, receiver] = [new Channel(near), new Channel(far)];
  const message = new Uint8Array(65536);
  const sending = (async () => {
    for (let i = 0; i < 30000; i++) await sender.send(message);
  })();
  for (let i = 0; i < 30000; i++) await receiver.recv();
  await sending;
  await Promise.all([sender.close(), receiver.close()]);
`;

Deno.test("freshMemory gives zeroed memory of the size asked for, long or short", () => {
  for (const size of [0, 1, 32_767, 32_768, 65_536, 1_048_577]) {
    const memory = freshMemory(size);
    assertEquals(memory.byteLength, size);
    assertEquals(memory.buffer.byteLength, size);
    assert(memory.every((byte) => byte === 0));
  }
});

Deno.test("freshMemory leaves its litter for later: until makeLitter, or the next memory", () => {
  makeLitter();
  const before = litter;
  freshMemory(65_536);
  assertStrictEquals(litter, before);
  makeLitter();
  const first = litter;
  assertNotStrictEquals(first, before);
  makeLitter();
  assertStrictEquals(litter, first, "no more than is due");
  freshMemory(65_536);
  freshMemory(65_536);
  assertNotStrictEquals(litter, first, "what nobody has made meanwhile");
  makeLitter();
});

Deno.test("A receiver of large messages needs far more young collections than full ones", async () => {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--v8-flags=--trace-gc", RECEIVER],
  }).output();
  assert(success);
  const trace = new TextDecoder().decode(stdout);
  const young = trace.match(/: Scavenge /g)?.length ?? 0;
  const full = trace.match(/Mark-Compact /g)?.length ?? 0;
  assert(young > 5 * full, `${young} young, ${full} full`);
});
