/**
 * RPyC's messages: a type, a number that pairs a request with its answer, and
 * content, all in brine.
 *
 * ```text
 *  request    (1, seq, (handler, box of the tuple of arguments))
 *  reply      (2, seq, box of the result)
 *  exception  (3, seq, ((module, class), arguments, attributes, traceback))
 *
 *  box   (1, value) | (2, tuple of boxes) | (3, id of an object of the receiver's)
 *        | (4, id of an object of the sender's)
 * ```
 *
 * RPyC 3 to 5 write a message as one tuple; RPyC 6 writes the type as a byte of
 * its own before the other two.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { decodeBrine, encodeBrine, type Value } from "./_brine.ts";

/** What a peer can be asked for (rpyc/core/consts.py). */
export const HANDLER = {
  ping: 1,
  close: 2,
  getRoot: 3,
  getAttribute: 4,
  call: 7,
  callMethod: 8,
  repr: 9,
  str: 10,
  dir: 13,
  release: 15,
} as const;

/** The types of messages. */
export const MESSAGE = { request: 1, reply: 2, exception: 3 } as const;
/** What a box holds. */
export const BOX = { value: 1, tuple: 2, ofReceiver: 3, ofSender: 4 } as const;

/** How messages are written: 5 stands for RPyC 3 to 5. */
export type RpycVersion = 5 | 6;

/** A message, read. */
export interface Message {
  readonly version: RpycVersion;
  readonly type: Value;
  readonly seq: Value;
  readonly content: Value;
}

/** An exception that Python raised. */
export class PythonError extends Error {
  override name = "PythonError";

  /**
   * @param type Module and class, such as `builtins.ValueError`.
   * @param args The exception's arguments.
   * @param attributes Its other public attributes.
   * @param traceback Python's traceback as text.
   */
  constructor(
    readonly type: string,
    readonly args: readonly Value[] = [],
    readonly attributes: ReadonlyMap<string, Value> = new Map(),
    readonly traceback: string = "",
  ) {
    super([type, args.map(String).join(", ")].filter(Boolean).join(": "));
  }
}

/** The bytes of a message. */
export function encodeMessage(message: Message): Uint8Array {
  const { version, type, seq, content } = message;
  return version === 5
    ? encodeBrine([type, seq, content])
    : concat([Uint8Array.of(Number(type)), encodeBrine([seq, content])]);
}

/** The message of bytes. The first one tells the version: brine's tag of a tuple, or a type. */
export function decodeMessage(bytes: Uint8Array): Message {
  const head = bytes[0];
  if (head === undefined || head > MESSAGE.exception) {
    const [type, seq, content] = tupleOf(decodeBrine(bytes), 3);
    return { version: 5, type, seq, content };
  }
  const [seq, content] = tupleOf(decodeBrine(bytes.subarray(1)), 2);
  return { version: 6, type: head, seq, content };
}

/** The error in a message. A number or text stands for some special cases (rpyc/core/vinegar.py). */
export function decodeException(content: Value): PythonError {
  if (content === 1) return new PythonError("builtins.StopIteration");
  if (typeof content === "string") return new PythonError(content);
  const [type, args, attributes, traceback] = tupleOf(content, 4);
  return new PythonError(
    tupleOf(type, 2).join("."),
    tupleOf(args),
    new Map(
      tupleOf(attributes).map((pair) => {
        const [name, value] = tupleOf(pair, 2);
        return [String(name), value];
      }),
    ),
    String(traceback),
  );
}

/** An error of ours as Python can raise it. */
export function encodeException(error: unknown): Value {
  const text = error instanceof Error ? error.message : String(error);
  return [["builtins", "NotImplementedError"], [text], [], "(not Python)\n"];
}

/** The tuples of a fixed length that messages hold. */
interface Tuples {
  readonly 2: readonly [Value, Value];
  readonly 3: readonly [Value, Value, Value];
  readonly 4: readonly [Value, Value, Value, Value];
}

/** Checks that a value is a tuple, of `length` items where given. */
export function tupleOf(value: Value): readonly Value[];
export function tupleOf<N extends keyof Tuples>(
  value: Value,
  length: N,
): Tuples[N];
export function tupleOf(value: Value, length?: number): readonly Value[] {
  if (Array.isArray(value) && value.length === (length ?? value.length)) {
    return value;
  }
  throw new SyntaxError("Cannot decode message as its shape is another one");
}
