/**
 * What every channel must do, whatever it is made of and runs over: one body of
 * tests, run by combinations_test.ts for each.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertStrictEquals,
} from "@std/assert";
import { deadline } from "@std/async/deadline";
import { equals } from "@std/bytes/equals";
import {
  BufferOverflowError,
  type Channel,
  type ChannelOptions,
  StreamError,
} from "@sluice/sluice";
import { noise, randomOf, reasonOf, seed, settle, text } from "./_support.ts";

/** Two ends to test, which must be given up together. */
export interface Joint extends AsyncDisposable {
  readonly near: Channel;
  readonly far: Channel;
}

/** A kind of channel to test. */
export interface ChannelSubject {
  /** As the subject of a sentence: `A compressing channel over TCP`. */
  readonly name: string;
  /** Whether the far end can end its direction alone. */
  readonly farHalfClose: boolean;
  /** Whether an end that the peer did not send is told from one that it did. */
  readonly authenticatesEnd: boolean;
  readonly ignore: boolean;
  connect(options?: ChannelOptions): Promise<Joint>;
}

/** How long a test may take before it fails in place of hanging, in ms. */
const PATIENCE = 20_000;

/** Declares the tests for one kind of channel. */
export function testChannel(subject: ChannelSubject): void {
  const { name, ignore, connect } = subject;
  const test = (
    promise: string,
    body: (joint: Joint) => Promise<void>,
    options?: ChannelOptions,
  ) =>
    Deno.test({
      name: `${name} ${promise}`,
      ignore,
      async fn() {
        await using joint = await connect(options);
        await deadline(body(joint), PATIENCE);
      },
    });

  test("carries messages of every size both ways at once", async (joint) => {
    const sizes = [
      0,
      1,
      100,
      1023,
      1024,
      4096,
      63_994,
      65_537,
      131_067,
      262_145,
    ];
    const messages = [...sizes.flatMap((n) => [noise(n), text(n)])];
    messages.push(noise(1 << 20), text((1 << 20) + 1), noise(0));
    await Promise.all(
      [[joint.near, joint.far], [joint.far, joint.near]].map(
        async ([from, to]) => {
          const sent = (async () => {
            for (const message of messages) await from!.send(message);
            await from!.flush();
          })();
          for (const message of messages) {
            assertEquals(await to!.recv(), message);
          }
          await sent;
        },
      ),
    );
  });

  test("keeps thousands of small messages in order", async ({ near, far }) => {
    const random = randomOf(seed());
    const sizes = Array.from(
      { length: 4000 },
      // Some fill the buffers that are used again and again.
      (_, n) => Math.floor(random() ** 3 * (n % 40 ? 600 : 60_000)),
    );
    const sent = (async () => {
      for (const [n, size] of sizes.entries()) {
        await (n % 3 ? near.send(text(size)) : near.send(noise(size, n)));
      }
      await near.flush();
    })();
    for (const [n, size] of sizes.entries()) {
      if (n % 500 === 0) await settle(); // A reader that is late now and then.
      const message = await far.recv();
      assert(equals(message!, n % 3 ? text(size) : noise(size, n)), `${n}`);
    }
    await sent;
    // Many of them shared a write.
    assertLess(near.stats.writes, near.stats.messagesSent / 2);
    assertEquals(near.stats.messagesSent, 4000);
    assertEquals(far.stats.messagesReceived, 4000);
  });

  test("answers each of many requests", async ({ near, far }) => {
    const served = (async () => {
      for await (const request of far) await far.send(request.toReversed());
    })();
    for (let n = 0; n < 20; n++) {
      await near.send(noise(n * 40));
      await near.flush();
      const answered = near.recv();
      await far.flush();
      assertEquals(await answered, noise(n * 40).reverse());
    }
    await Promise.all([near.close(), served.then(() => far.close())]);
  });

  test("lets a message be reused once it was sent", async ({ near, far }) => {
    const sizes = [10, 5000, 63_995, 70_000, 200_000, 300_000, 1 << 20];
    const sent = (async () => {
      for (const size of sizes) {
        for (const make of [noise, text]) {
          const message = make(size);
          await near.send(message);
          message.fill(0xee);
        }
      }
      await near.flush();
    })();
    await settle();
    for (const size of sizes) {
      assertEquals(await far.recv(), noise(size));
      assertEquals(await far.recv(), text(size));
    }
    await sent;
  });

  test(
    "makes the sender wait for the receiver and loses nothing",
    async ({ near, far }) => {
      let accepted = 0;
      const count = 30;
      const sent = (async () => {
        for (; accepted < count; accepted++) await near.send(noise(1 << 20));
      })();
      // It has stopped when nothing more is accepted for a while.
      for (let before = -1; before !== accepted;) {
        before = accepted;
        for (let turn = 0; turn < 30; turn++) await settle();
      }
      assertLess(accepted, count);
      const expected = noise(1 << 20);
      for (let n = 0; n < count; n++) {
        const message = await far.recv();
        assertEquals(message?.byteLength, 1 << 20);
        if (n % 10 === 0) assertEquals(message, expected);
      }
      await sent;
    },
    { maxMessageSize: 1 << 20 },
  );

  test("carries what is piped through both its faces", async ({ near, far }) => {
    const echoed = far.readable.pipeTo(far.writable);
    const messages = Array.from(
      { length: 200 },
      (_, n) => (n % 2 ? noise : text)(n * 37 % 9000),
    );
    const reader = near.readable.getReader();
    const writer = near.writable.getWriter();
    const sent = (async () => {
      for (const message of messages) await writer.write(message);
      await near.flush();
      await writer.close();
    })();
    for (const message of messages) {
      assertEquals((await reader.read()).value, message);
    }
    await sent;
    if (subject.farHalfClose) assert((await reader.read()).done);
    await echoed;
  });

  test("receives the end of one direction while the other goes on", async ({ near, far }) => {
    await near.send(noise(5));
    await near.writable.close();
    assertEquals(await far.recv(), noise(5));
    assertEquals(await far.recv(), null);
    const sent = (async () => {
      for (let n = 0; n < 10; n++) await far.send(noise(n * 10_000));
      await far.flush();
    })();
    for (let n = 0; n < 10; n++) {
      assertEquals(await near.recv(), noise(n * 10_000));
    }
    await sent;
  });

  test("delivers all that was sent before it was closed", async ({ near, far }) => {
    const sizes = [3, 200_000, 0, 70_000, 5];
    const sent = sizes.map((size) => near.send(noise(size)));
    const closed = near.close();
    for (const size of sizes) assertEquals(await far.recv(), noise(size));
    assertEquals(await far.recv(), null);
    // A child lives as long as its parent waits for it, so they go together.
    if (!subject.farHalfClose) await far.close();
    await Promise.all([...sent, closed]);
    assertEquals(await near.finished, undefined);
    await far.close();
    assertEquals(await far.finished, undefined);
  });

  test("fails at both ends when one of them aborts", async ({ near, far }) => {
    await near.send(noise(5));
    await near.flush();
    assertEquals(await far.recv(), noise(5));
    const reason = new Error("enough");
    const calls = [near.recv(), near.poll(Infinity)];
    near.abort(reason);
    calls.push(near.recv(), near.flush() as Promise<never>);
    for (const call of calls) assertStrictEquals(await reasonOf(call), reason);
    assertInstanceOf(await near.finished, StreamError);
    // A socket that is closed shows as a clean end, unless ends are authentic.
    const end = await far.recv().catch((error) => error);
    if (end !== null || subject.authenticatesEnd) {
      assertInstanceOf(end, StreamError);
      assertStrictEquals(await reasonOf(far.send(noise(1))), end);
      assertStrictEquals(await far.finished, end);
    }
  });

  test(
    "refuses what the receiver takes for too long",
    async ({ near, far }) => {
      await far.send(noise(1000));
      await far.flush();
      assertEquals(await near.recv(), noise(1000));
      assertInstanceOf(
        await reasonOf(near.send(noise(1001))),
        BufferOverflowError,
      );
      await near.send(noise(1000));
      await near.flush();
      assertEquals(await far.recv(), noise(1000));
    },
    { maxMessageSize: 1000 },
  );
}
