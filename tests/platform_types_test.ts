import { Channel, FrameDecoderStream, PipeStream } from "@sluice/sluice";
import { assertEquals, assertInstanceOf } from "@std/assert";
import { frameOf } from "./channels/_support.ts";

// This file is a test of types too: the platform's functions refuse bytes that may be
// in shared memory.

const text = "what goes to and fro";
const message = new TextEncoder().encode(text);

async function digestOf(bytes: BufferSource): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

Deno.test("what a channel receives goes into the platform's functions as it is", async () => {
  const [near, far] = PipeStream.createPair();
  await using a = new Channel(near);
  await using b = new Channel(far);
  for (let i = 0; i < 4; i++) await a.send(message);
  await a.writable.close();
  const received = await b.recv();
  assertEquals(await digestOf(received!), await digestOf(message));
  for await (const next of b) {
    assertEquals(await new Blob([next]).text(), text);
    break;
  }
  const gzip = b.readable.pipeThrough(new CompressionStream("gzip"));
  const body = gzip.pipeThrough(new DecompressionStream("gzip"));
  assertEquals(await new Response(body).text(), text + text);
});

Deno.test("what a stream and a stage give goes into the platform's functions as it is", async () => {
  const [near, far] = PipeStream.createPair();
  await near.write(message);
  assertEquals(
    await new Response(await far.read(message.byteLength)).text(),
    text,
  );
  await near.write(message);
  await near.closeWrite();
  assertEquals(await new Response(far.readable).text(), text);
  const messages = ReadableStream.from([frameOf(message)])
    .pipeThrough(new FrameDecoderStream())
    .pipeThrough(new CompressionStream("deflate"));
  assertEquals(
    await new Response(messages.pipeThrough(new DecompressionStream("deflate")))
      .text(),
    text,
  );
  await Promise.all([near.close(), far.close()]);
});

Deno.test("what is received is in memory of its own though it came in shared memory", async () => {
  const frame = frameOf(message);
  const shared = new Uint8Array(new SharedArrayBuffer(frame.byteLength));
  shared.set(frame);
  const pair = () => ({
    readable: new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(shared);
        controller.close();
      },
    }),
    writable: new WritableStream<Uint8Array>(),
  });
  await using channel = new Channel(pair());
  await using stream = new PipeStream(pair().readable, pair().writable);
  const decoded = pair().readable.pipeThrough(new FrameDecoderStream());
  const results = [
    await channel.recv(),
    await stream.read(frame.byteLength).then((bytes) => bytes!.subarray(5, -1)),
    (await Array.fromAsync(decoded))[0],
  ];
  shared.fill(0);
  for (const bytes of results) {
    assertInstanceOf(bytes?.buffer, ArrayBuffer);
    assertEquals(bytes, message);
  }
});
