/**
 * Calls a Python `rpyc.Service` over a Sluice channel.
 *
 * ```sh
 * deno run --allow-net examples/call_python.ts 127.0.0.1 18861                # what is there
 * deno run --allow-net examples/call_python.ts 127.0.0.1 18861 add 2 right=3  # call a method
 * ```
 *
 * @module
 */

import { deadline } from "@std/async/deadline";
import {
  type Channel,
  connect,
  ConnectionLostError,
  StreamClosedError,
} from "@sluice/sluice";
import type { Value } from "./_brine.ts";
import {
  BOX,
  decodeException,
  decodeMessage,
  encodeException,
  encodeMessage,
  HANDLER,
  MESSAGE,
  PythonError,
  type RpycVersion,
  tupleOf,
} from "./_rpyc_messages.ts";

export { HANDLER, PythonError, type RpycVersion };

/** How long the peer may take to end the stream once it was told to, in milliseconds. */
const CLOSE_TIMEOUT = 2000;

/** What can be sent: values, objects of the peer, and arrays of both. */
export type Argument = Value | RemoteObject | readonly Argument[];
/** What can come back. */
export type Result = Value | RemoteObject | readonly Result[];

/** The peer writes messages as another version of RPyC does. */
export class VersionError extends Error {
  override name = "VersionError";

  constructor(readonly version: RpycVersion) {
    super(`Cannot talk to peer as its messages are those of RPyC ${version}`);
  }
}

/** An object that stays with the peer, which keeps it alive until it is released. */
export class RemoteObject implements AsyncDisposable {
  readonly #connection: RpycConnection;
  /** Module and class, such as `__main__.Counter`. */
  readonly type: string;

  constructor(connection: RpycConnection, readonly id: readonly Value[]) {
    this.#connection = connection;
    this.type = String(id[0]);
  }

  /** Reads an attribute. */
  get(name: string): Promise<Result> {
    return this.#connection.request(HANDLER.getAttribute, this, name);
  }

  /** Calls the object itself. */
  call(
    args: readonly Argument[] = [],
    kwargs: Record<string, Argument> = {},
  ): Promise<Result> {
    const pairs = Object.entries(kwargs);
    return this.#connection.request(HANDLER.call, this, args, pairs);
  }

  /** Calls one of its methods. */
  callMethod(
    name: string,
    args: readonly Argument[] = [],
    kwargs: Record<string, Argument> = {},
  ): Promise<Result> {
    const pairs = Object.entries(kwargs);
    const { callMethod } = HANDLER;
    return this.#connection.request(callMethod, this, name, args, pairs);
  }

  /** Python's `str()` of it. */
  str(): Promise<Result> {
    return this.#connection.request(HANDLER.str, this);
  }

  /**
   * Gives the object back, once for each time that it was received; after the
   * last time it is not to be used. Settles when the message has left.
   */
  release(): Promise<void> {
    return this.#connection.release(this);
  }

  /** The same as {@linkcode release}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

/** A conversation with a peer that speaks RPyC. */
export class RpycConnection implements AsyncDisposable {
  readonly #channel: Channel;
  readonly #version: RpycVersion;
  readonly #pending = new Map<Value, PromiseWithResolvers<Result>>();
  readonly #objects = new Map<string, Reference>();
  readonly #reading: Promise<void>;
  #sending: Promise<void> = Promise.resolve();
  #nextSeq = 0;
  #over: { readonly reason: unknown } | undefined;

  /** Talks over `channel`, and closes it in the end. */
  constructor(channel: Channel, version: RpycVersion = 6) {
    this.#channel = channel;
    this.#version = version;
    this.#reading = this.#read();
  }

  /**
   * Talks over the channel that `openChannel` gives. It is asked for a second
   * one if the peer turns out to be an older RPyC, which ends the first.
   */
  static async open(
    openChannel: () => Promise<Channel>,
  ): Promise<RpycConnection> {
    try {
      return await RpycConnection.#tryVersion(6, await openChannel());
    } catch (error) {
      if (!(error instanceof VersionError)) throw error;
      return await RpycConnection.#tryVersion(5, await openChannel());
    }
  }

  static async #tryVersion(version: RpycVersion, channel: Channel) {
    const connection = new RpycConnection(channel, version);
    try {
      await connection.ping();
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** The version whose messages are spoken. */
  get version(): RpycVersion {
    return this.#version;
  }

  /** Sends `text` and checks that the same comes back. */
  async ping(text = "are you there"): Promise<void> {
    const answer = await this.request(HANDLER.ping, text);
    if (answer !== text) {
      throw new Error("Cannot ping peer as it answers something else");
    }
  }

  /** The peer's service. */
  async root(): Promise<RemoteObject> {
    const root = await this.request(HANDLER.getRoot);
    if (root instanceof RemoteObject) return root;
    throw new TypeError("Cannot get root as the peer sends a value for it");
  }

  /** Asks the peer for anything. A Python exception rejects with a {@linkcode PythonError}. */
  async request(handler: number, ...args: Argument[]): Promise<Result> {
    const seq = this.#nextSeq++;
    const answer = Promise.withResolvers<Result>();
    const message = this.#encode(MESSAGE.request, seq, [
      handler,
      this.#box(args),
    ]);
    if (this.#over) throw this.#over.reason;
    this.#pending.set(seq, answer);
    // Both at once, as either may reject while the other is waiting.
    const [result] = await Promise.all([answer.promise, this.#send(message)]);
    return result;
  }

  /** See {@linkcode RemoteObject.release}. */
  async release(object: RemoteObject): Promise<void> {
    const key = object.id.join();
    const reference = this.#objects.get(key);
    if (reference?.object !== object || --reference.held > 0) return;
    // The peer counts how often it sent the object: one more may be on its way.
    const told = this.#tell(HANDLER.release, object, reference.received);
    this.#objects.delete(key);
    await told;
  }

  /** Says good-bye, waits until the peer has ended the stream, closes the channel. */
  async close(): Promise<void> {
    await this.#tell(HANDLER.close);
    this.#end(new StreamClosedError("Connection was closed"));
    // A peer that does not end it is left behind.
    await deadline(this.#reading, CLOSE_TIMEOUT).catch(() => {});
    await this.#channel.close();
    await this.#reading;
  }

  /** The same as {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A request whose answer does not matter; none once the conversation is over. */
  async #tell(handler: number, ...args: Argument[]): Promise<void> {
    if (this.#over) return;
    const content: Value = [handler, this.#box(args)];
    const message = this.#encode(MESSAGE.request, this.#nextSeq++, content);
    // Whatever fails here has ended the conversation, and #read tells so.
    await this.#send(message).catch(() => {});
  }

  /**
   * One write for each message. RPyC waits on the socket, and over TLS it does
   * not see a second message that came in the same record.
   */
  #send(message: Uint8Array): Promise<void> {
    const sent = this.#sending.then(async () => {
      await this.#channel.send(message);
      await this.#channel.flush();
    });
    this.#sending = sent.catch(() => {});
    return sent;
  }

  async #read(): Promise<void> {
    try {
      for await (const message of this.#channel) await this.#dispatch(message);
      this.#end(new ConnectionLostError("Cannot go on as the peer has ended"));
    } catch (error) {
      this.#end(error);
      this.#channel.abort(error);
    }
  }

  /** From here on nothing is answered any more. */
  #end(reason: unknown): void {
    this.#over ??= { reason };
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
    this.#objects.clear();
  }

  async #dispatch(message: Uint8Array): Promise<void> {
    if (message.length === 0) return; // a keep-alive
    const { version, type, seq, content } = decodeMessage(message);
    if (version !== this.#version) throw new VersionError(version);
    if (type === MESSAGE.request) return await this.#serve(seq, content);
    const answer = this.#pending.get(seq);
    if (!answer) return; // to something that was only told
    this.#pending.delete(seq);
    try {
      if (type === MESSAGE.reply) answer.resolve(this.#unbox(content));
      else answer.reject(decodeException(content));
    } catch (error) {
      answer.reject(error);
    }
  }

  /** Answers a request of the peer: this side has no objects, so most are refused. */
  async #serve(seq: Value, content: Value): Promise<void> {
    const [handler, box] = tupleOf(content, 2);
    if (handler === HANDLER.close) {
      this.#end(new ConnectionLostError("Cannot go on as the peer has closed"));
      return await this.#channel.close();
    }
    let args: Result = [];
    try {
      args = this.#unbox(box);
      if (handler !== HANDLER.ping || !Array.isArray(args)) {
        throw new Error(`Cannot serve handler ${String(handler)}`);
      }
      const echo = this.#box(args[0]);
      await this.#send(this.#encode(MESSAGE.reply, seq, echo));
    } catch (error) {
      const refusal = encodeException(error);
      await this.#send(this.#encode(MESSAGE.exception, seq, refusal));
    }
    // Nothing here keeps what came as an argument.
    for (const object of objectsIn(args)) await object.release();
  }

  #box(value: Argument): Value {
    if (value instanceof RemoteObject) {
      if (this.#objects.get(value.id.join())?.object !== value) {
        throw new TypeError(
          `Cannot send ${value.type} as it was released or is of another peer`,
        );
      }
      return [BOX.ofReceiver, value.id];
    }
    return isValue(value)
      ? [BOX.value, value]
      : [BOX.tuple, value.map((item) => this.#box(item))];
  }

  #unbox(box: Value): Result {
    const [label, content] = tupleOf(box, 2);
    switch (label) {
      case BOX.value:
        return content;
      case BOX.tuple:
        return tupleOf(content).map((item) => this.#unbox(item));
      case BOX.ofSender:
        return this.#receive(tupleOf(content, 3));
    }
    throw new TypeError(`Cannot unbox label ${String(label)}`);
  }

  /** The same object is the same proxy, as often as it comes. */
  #receive(id: readonly Value[]): RemoteObject {
    const key = id.join();
    const known = this.#objects.get(key);
    if (!known) {
      const object = new RemoteObject(this, id);
      this.#objects.set(key, { object, received: 1, held: 1 });
      return object;
    }
    known.received++;
    known.held++;
    return known.object;
  }

  #encode(type: number, seq: Value, content: Value): Uint8Array {
    return encodeMessage({ version: this.#version, type, seq, content });
  }
}

/** How often the peer has sent an object, and how many of those are still held. */
interface Reference {
  readonly object: RemoteObject;
  received: number;
  held: number;
}

/** Whether it travels by value, with all that it holds. */
function isValue(value: Argument): value is Value {
  return Array.isArray(value)
    ? value.every(isValue)
    : !(value instanceof RemoteObject);
}

/** The remote objects in a value, each as often as it occurs. */
function objectsIn(value: Result): RemoteObject[] {
  if (value instanceof RemoteObject) return [value];
  return Array.isArray(value) ? value.flatMap(objectsIn) : [];
}

/** An argument as typed in a shell: JSON with integers of any size, or else text. */
function parseArgument(text: string): Argument {
  if (/^-?\d+$/.test(text)) return BigInt(text);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function main([hostname, port, method, ...words]: string[]) {
  if (!hostname || !port) {
    console.error(
      "usage: call_python.ts HOST PORT [METHOD [VALUE | NAME=VALUE]...]",
    );
    Deno.exit(2);
  }
  await using python = await RpycConnection.open(() =>
    connect({ hostname, port: Number(port) })
  );
  await using root = await python.root();
  if (method === undefined) {
    const names = await python.request(HANDLER.dir, root) as string[];
    const exposed = names.filter((name) => name.startsWith("exposed_"));
    console.log(`${root.type} (RPyC ${python.version})`);
    for (const name of exposed) console.log(`  ${name.slice(8)}`);
    return;
  }
  const args: Argument[] = [];
  const kwargs: Record<string, Argument> = {};
  for (const word of words) {
    const [, name, value] = /^([a-z_]\w*)=(.*)$/is.exec(word) ?? [];
    if (name) kwargs[name] = parseArgument(value!);
    else args.push(parseArgument(word));
  }
  try {
    const result = await root.callMethod(method, args, kwargs);
    console.log(result instanceof RemoteObject ? await result.str() : result);
  } catch (error) {
    if (!(error instanceof PythonError)) throw error;
    console.error(`${error.message}\n\n${error.traceback}`);
    Deno.exitCode = 1;
  }
}

if (import.meta.main) await main(Deno.args);
