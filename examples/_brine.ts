/**
 * Brine, the format of RPyC's values (rpyc/core/brine.py): one tag byte, then
 * what the tag says. It knows immutable values only; everything else travels
 * as a reference.
 *
 * | Python             | here                                                  |
 * | ------------------ | ----------------------------------------------------- |
 * | None, True, False  | `null`, `true`, `false`                               |
 * | int                | `number` while it is a safe integer, `bigint` beyond  |
 * | float              | `number`; {@linkcode Float} sends an integer as float |
 * | str, bytes         | `string`, `Uint8Array`                                |
 * | tuple, frozenset   | array, `Set`                                          |
 * | slice, complex     | {@linkcode Slice}, {@linkcode Complex}                |
 * | Ellipsis, NotImplemented | {@linkcode ELLIPSIS}, {@linkcode NOT_IMPLEMENTED} |
 *
 * @module
 */

import { concat } from "@std/bytes/concat";

/** Python's `...`. */
export const ELLIPSIS: unique symbol = Symbol("Ellipsis");
/** Python's `NotImplemented`. */
export const NOT_IMPLEMENTED: unique symbol = Symbol("NotImplemented");

/** A float, also where its value is a whole number: `new Float(1)` is `1.0`. */
export class Float {
  constructor(readonly value: number) {}
}

/** Python's `complex`. */
export class Complex {
  constructor(readonly real: number, readonly imaginary: number) {}
}

/** Python's `slice(start, stop, step)`. */
export class Slice {
  constructor(
    readonly start: Value,
    readonly stop: Value,
    readonly step: Value,
  ) {}
}

/** What travels by value. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Value[]
  | ReadonlySet<Value>
  | Float
  | Complex
  | Slice
  | typeof ELLIPSIS
  | typeof NOT_IMPLEMENTED;

const TAG = {
  none: 0x00,
  emptyBytes: 0x01,
  emptyTuple: 0x02,
  true: 0x03,
  false: 0x04,
  notImplemented: 0x05,
  ellipsis: 0x06,
  string: 0x08,
  bytes1: 0x0a, // to bytes4, 0x0d
  bytesU8: 0x0e,
  bytesU32: 0x0f,
  tuple1: 0x10, // to tuple4, 0x13
  tupleU8: 0x14,
  tupleU32: 0x15,
  intU8: 0x16,
  intU32: 0x17,
  float: 0x18,
  slice: 0x19,
  frozenset: 0x1a,
  complex: 0x1b,
} as const;

/** Ints in this range are one byte, their value plus `SMALL_INT_BASE`. */
const SMALL_INT_MIN = -48;
const SMALL_INT_MAX = 159;
const SMALL_INT_BASE = 0x50;

/** A peer could nest tuples one byte each until the stack is full. */
const MAX_DEPTH = 200;
/** Python reads no longer int from text either; the time grows with its square. */
const MAX_INT_DIGITS = 4300;

/** The bytes of a value. Throws a `TypeError` for what brine does not know. */
export function encodeBrine(value: Value): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  encode(value, parts);
  return concat(parts);
}

function encode(value: Value, out: Uint8Array[]): void {
  if (value === null) out.push(Uint8Array.of(TAG.none));
  else if (value === true) out.push(Uint8Array.of(TAG.true));
  else if (value === false) out.push(Uint8Array.of(TAG.false));
  else if (value === ELLIPSIS) out.push(Uint8Array.of(TAG.ellipsis));
  else if (value === NOT_IMPLEMENTED) {
    out.push(Uint8Array.of(TAG.notImplemented));
  } else if (typeof value === "bigint") encodeInt(value, out);
  else if (typeof value === "number") {
    // -0 is a float: Python's ints have no negative zero.
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      encodeInt(BigInt(value), out);
    } else out.push(Uint8Array.of(TAG.float), float64(value));
  } else if (typeof value === "string") {
    if (!value.isWellFormed()) {
      throw new TypeError("Cannot encode string as it has a lone surrogate");
    }
    out.push(Uint8Array.of(TAG.string));
    encodeBytes(new TextEncoder().encode(value), out);
  } else if (value instanceof Uint8Array) encodeBytes(value, out);
  else if (value instanceof Float) {
    out.push(Uint8Array.of(TAG.float), float64(value.value));
  } else if (value instanceof Complex) {
    out.push(Uint8Array.of(TAG.complex));
    out.push(float64(value.real), float64(value.imaginary));
  } else if (value instanceof Slice) {
    out.push(Uint8Array.of(TAG.slice));
    encode([value.start, value.stop, value.step], out);
  } else if (value instanceof Set) {
    out.push(Uint8Array.of(TAG.frozenset));
    encode([...value], out);
  } else if (Array.isArray(value)) {
    out.push(sized(value.length, TAG.emptyTuple, TAG.tuple1, TAG.tupleU8));
    for (const item of value) encode(item, out);
  } else throw new TypeError(`Cannot encode ${typeof value} by value`);
}

function encodeInt(value: bigint, out: Uint8Array[]): void {
  if (SMALL_INT_MIN <= value && value <= SMALL_INT_MAX) {
    out.push(Uint8Array.of(Number(value) + SMALL_INT_BASE));
    return;
  }
  const digits = new TextEncoder().encode(value.toString());
  out.push(
    digits.length < 256
      ? Uint8Array.of(TAG.intU8, digits.length)
      : concat([Uint8Array.of(TAG.intU32), uint32(digits.length)]),
    digits,
  );
}

function encodeBytes(bytes: Uint8Array, out: Uint8Array[]): void {
  out.push(sized(bytes.length, TAG.emptyBytes, TAG.bytes1, TAG.bytesU8), bytes);
}

/** The tag and length of bytes or a tuple: the u32 tag follows the u8 one. */
function sized(length: number, empty: number, one: number, u8: number) {
  if (length === 0) return Uint8Array.of(empty);
  if (length <= 4) return Uint8Array.of(one + length - 1);
  if (length < 256) return Uint8Array.of(u8, length);
  return concat([Uint8Array.of(u8 + 1), uint32(length)]);
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function float64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return bytes;
}

/** The value of bytes. Throws a `SyntaxError` if they are no brine, or more than one value. */
export function decodeBrine(bytes: Uint8Array): Value {
  const decoder = new Decoder(bytes);
  const value = decoder.value(0);
  decoder.end();
  return value;
}

/** Reads forward; each element takes a byte at least, so no claimed length takes memory. */
class Decoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(depth: number): Value {
    if (depth > MAX_DEPTH) {
      throw new SyntaxError(
        `Cannot decode brine as its depth must be <= ${MAX_DEPTH}`,
      );
    }
    const tag = this.#u8();
    const small = tag - SMALL_INT_BASE;
    if (tag >= 0x20 && small <= SMALL_INT_MAX) return small;
    switch (tag) {
      case TAG.none:
        return null;
      case TAG.true:
        return true;
      case TAG.false:
        return false;
      case TAG.notImplemented:
        return NOT_IMPLEMENTED;
      case TAG.ellipsis:
        return ELLIPSIS;
      case TAG.emptyBytes:
        return new Uint8Array();
      case TAG.emptyTuple:
        return [];
      case TAG.bytesU8:
        return this.#take(this.#u8()).slice();
      case TAG.bytesU32:
        return this.#take(this.#u32()).slice();
      case TAG.tupleU8:
        return this.#tuple(this.#u8(), depth);
      case TAG.tupleU32:
        return this.#tuple(this.#u32(), depth);
      case TAG.intU8:
        return this.#int(this.#u8());
      case TAG.intU32:
        return this.#int(this.#u32());
      case TAG.float:
        return this.#f64();
      case TAG.complex:
        return new Complex(this.#f64(), this.#f64());
      case TAG.string:
        return this.#string(depth);
      case TAG.frozenset:
        return new Set(this.#items(depth));
      case TAG.slice: {
        const [start, stop, step, ...more] = this.#items(depth);
        if (step === undefined || more.length > 0) this.#fail("a slice");
        return new Slice(start!, stop!, step);
      }
    }
    if (tag >= TAG.bytes1 && tag < TAG.bytesU8) {
      return this.#take(tag - TAG.bytes1 + 1).slice();
    }
    if (tag >= TAG.tuple1 && tag < TAG.tupleU8) {
      return this.#tuple(tag - TAG.tuple1 + 1, depth);
    }
    return this.#fail("a tag");
  }

  /** Nothing may follow the value. */
  end(): void {
    if (this.#offset < this.#bytes.length) this.#fail("the end");
  }

  #tuple(length: number, depth: number): Value[] {
    const items: Value[] = [];
    while (items.length < length) items.push(this.value(depth + 1));
    return items;
  }

  #items(depth: number): readonly Value[] {
    const items = this.value(depth + 1);
    return Array.isArray(items) ? items : this.#fail("a tuple");
  }

  #int(length: number): number | bigint {
    const text = new TextDecoder().decode(this.#take(length));
    if (length > MAX_INT_DIGITS + 1 || !/^-?\d+$/.test(text)) {
      this.#fail("an int");
    }
    const value = BigInt(text);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  #string(depth: number): string {
    const bytes = this.value(depth + 1);
    if (!(bytes instanceof Uint8Array)) this.#fail("bytes");
    try {
      // Without ignoreBOM a leading U+FEFF would be lost.
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
        .decode(bytes);
    } catch {
      return this.#fail("UTF-8");
    }
  }

  #u8(): number {
    return this.#take(1)[0]!;
  }

  #u32(): number {
    this.#take(4);
    return this.#view.getUint32(this.#offset - 4);
  }

  #f64(): number {
    this.#take(8);
    return this.#view.getFloat64(this.#offset - 8);
  }

  #take(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#offset) this.#fail("more bytes");
    return this.#bytes.subarray(this.#offset, this.#offset += count);
  }

  #fail(expected: string): never {
    throw new SyntaxError(
      `Cannot decode brine as it must have ${expected} before byte ${this.#offset}`,
    );
  }
}
