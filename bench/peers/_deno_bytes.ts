/**
 * The work on a bare connection of the platform, with or without TLS: what any
 * library on top of it is measured against.
 *
 * @module
 */
import type { Peer } from "./_role.ts";

/** Read buffer, in bytes; the fastest of 16 KiB to 1 MiB here for every payload. */
export const READ_SIZE = 64 * 1024;

/** One write call per payload, which is repeated only where it was cut short. */
export async function writeAll(
  conn: Deno.Conn,
  data: Uint8Array,
): Promise<void> {
  let written = await conn.write(data);
  while (written < data.byteLength) {
    written += await conn.write(data.subarray(written));
  }
}

/** Reads and drops `bytes` bytes through one buffer that is used again and again. */
export async function drain(
  conn: Deno.Conn,
  buffer: Uint8Array,
  bytes: number,
): Promise<void> {
  while (bytes > 0) {
    const count = await conn.read(
      bytes < buffer.byteLength ? buffer.subarray(0, bytes) : buffer,
    );
    if (count === null) throw new Error(`The end came ${bytes} bytes early`);
    bytes -= count;
  }
}

/** Fills `buffer`. */
export async function fill(conn: Deno.Conn, buffer: Uint8Array): Promise<void> {
  for (let filled = 0; filled < buffer.byteLength;) {
    const count = await conn.read(buffer.subarray(filled));
    if (count === null) throw new Error("The end came early");
    filled += count;
  }
}

/** One end of a participant: `conn` itself, whose bytes are read and dropped. */
export function bytePeer(conn: Deno.Conn): Peer {
  const buffer = new Uint8Array(READ_SIZE);
  const ack = new Uint8Array(8);
  return {
    async oneWay(payload, count) {
      for (let i = 0; i < count; i++) await writeAll(conn, payload);
      await fill(conn, ack);
    },
    async roundTrip(payload, count) {
      const echo = new Uint8Array(payload.byteLength);
      for (let i = 0; i < count; i++) {
        await writeAll(conn, payload);
        await fill(conn, echo);
      }
    },
    async receive(size, count) {
      await drain(conn, buffer, size * count);
      await writeAll(conn, ack);
      return { count, bytes: size * count };
    },
    async echo(size, count) {
      const message = new Uint8Array(size);
      for (let i = 0; i < count; i++) {
        await fill(conn, message);
        await writeAll(conn, message);
      }
      return { count, bytes: size * count };
    },
  };
}

/** The same, but each message is read into a buffer that a user could keep. */
export function messagePeer(conn: Deno.Conn): Peer {
  return {
    ...bytePeer(conn),
    async receive(size, count) {
      for (let i = 0; i < count; i++) await fill(conn, new Uint8Array(size));
      await writeAll(conn, new Uint8Array(8));
      return { count, bytes: size * count };
    },
  };
}
