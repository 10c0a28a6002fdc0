/**
 * Remote procedure calls: Cap'n Web over a Sluice channel. A channel is all that
 * its `RpcTransport` wants, so that its pipelining and its callbacks work over
 * TCP, Unix sockets, pipes and encrypted streams, too.
 *
 * ```sh
 * deno run --allow-net examples/rpc.ts serve 7009
 * deno run --allow-net examples/rpc.ts call 7009 Ada
 * ```
 *
 * Outside this repository, import from `jsr:@sluice/sluice`.
 *
 * @module
 */
import { RpcSession, RpcTarget, type RpcTransport } from "npm:capnweb@0.12.0";
import { type Channel, connect, serve } from "@sluice/sluice";

/** A channel, as Cap'n Web sees it: a message is a JSON text. */
export class ChannelTransport implements RpcTransport {
  readonly #channel: Channel;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  async send(message: string): Promise<void> {
    await this.#channel.send(new TextEncoder().encode(message));
  }

  async receive(): Promise<string> {
    const message = await this.#channel.recv();
    if (message === null) throw new Error("The peer has ended the session");
    return new TextDecoder().decode(message);
  }

  abort(): void {
    this.#channel.close();
  }
}

class Person extends RpcTarget {
  readonly #name: string;

  constructor(name: string) {
    super();
    this.#name = name;
  }

  greeting(): string {
    return `Hello, ${this.#name}`;
  }

  /** Calls back for each letter. */
  async spell(onLetter: (letter: string) => unknown): Promise<number> {
    for (const letter of this.#name) await onLetter(letter);
    return this.#name.length;
  }
}

class Directory extends RpcTarget {
  find(name: string): Person {
    if (name === "") throw new RangeError("A name must not be empty");
    return new Person(name);
  }
}

const [command, port, name] = Deno.args;
if (command === "serve") {
  const server = serve({
    port: Number(port),
    onListen: ({ port }) => console.log(`Listening on port ${port}`),
  }, async (channel, { signal }) => {
    new RpcSession(new ChannelTransport(channel), new Directory());
    signal.addEventListener("abort", () => channel.close());
    await channel.finished;
  });
  Deno.addSignalListener("SIGINT", () => server.shutdown());
  await server.finished;
} else if (command === "call" && name !== undefined) {
  await using channel = await connect({ port: Number(port) });
  const session = new RpcSession<Directory>(new ChannelTransport(channel));
  using directory = session.getRemoteMain();
  using person = directory.find(name); // Not awaited:
  console.log(await person.greeting()); // both calls take one round trip.
  const letters = await person.spell((letter) => console.log(letter));
  console.log(`${letters} letters`);
} else {
  console.error("Usage: rpc.ts serve PORT | rpc.ts call PORT NAME");
  Deno.exitCode = 2;
}
