/**
 * What every Deno participant shares: a process holds one end of one
 * connection, plays one of two roles on it, and does the jobs that it reads
 * from standard input, one JSON object `{ work, size, count }` a line, until the
 * input ends. `_role.py` and `node/_role.mjs` are its twins.
 *
 * - The `sink` answers `{ ready: true }`, receives (or echoes) that many
 *   messages, and reports what it counted.
 * - The `source` is given the job once the sink is ready, sends, and reports
 *   the seconds from before the first message to the arrival of the last answer.
 *
 * @module
 */
import { createInterface } from "node:readline";
import process from "node:process";

/** One end of a connection: the first two methods are a source's, the others a sink's. */
export interface Peer {
  /** Sends `payload` `count` times, then waits for the sink's acknowledgement. */
  oneWay(payload: Uint8Array, count: number): Promise<void>;
  /** Sends `payload` and waits for its echo, `count` times. */
  roundTrip(payload: Uint8Array, count: number): Promise<void>;
  /** Receives `count` messages of `size` bytes, then acknowledges the last. */
  receive(size: number, count: number): Promise<Tally>;
  /** Sends each of `count` messages of `size` bytes back. */
  echo(size: number, count: number): Promise<Tally>;
}

/** What a sink counted; the run fails unless it is what the source sent. */
export interface Tally {
  count: number;
  bytes: number;
}

/** How the two ends of a participant find each other. */
export interface Participant {
  /** Listens on loopback, tells its port, and takes one connection. */
  listen(onListen: (port: number) => void): Promise<Peer>;
  /** Connects to it. */
  connect(port: number): Promise<Peer>;
}

/** Plays the role of the command line, `sink|source <folder> [port]`: without a port it listens. */
export async function play(
  participant: Participant,
  args: readonly string[] = Deno.args,
): Promise<void> {
  const [role, folder, port] = args;
  const peer = port === undefined
    ? await participant.listen((port) => report({ port }))
    : await participant.connect(Number(port));
  report({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    const { work, size, count } = JSON.parse(line);
    if (role === "sink") {
      report({ ready: true });
      report(
        work === "one-way"
          ? await peer.receive(size, count)
          : await peer.echo(size, count),
      );
    } else {
      const payload = await Deno.readFile(`${folder}/${size}.json`);
      const start = performance.now();
      if (work === "one-way") await peer.oneWay(payload, count);
      else await peer.roundTrip(payload, count);
      report({ seconds: (performance.now() - start) / 1000 });
    }
  }
  Deno.exit();
}

function report(value: unknown): void {
  console.log(JSON.stringify(value));
}
