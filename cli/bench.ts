import { deadline } from "jsr:@std/async@^1.5.0/deadline";
import { bold } from "jsr:@std/fmt@^1.0.10/colors";
import { format as formatBytes } from "jsr:@std/fmt@^1.0.10/bytes";
import type { Channel } from "../channels/channel.ts";
import { StreamError } from "../errors.ts";
import { connect } from "../factories/connect.ts";
import { ADDRESS_HELP, parseAddress, TLS_OPTIONS } from "./address.ts";
import { type Command, type Context, parseInteger } from "./command.ts";
import {
  assertTlsUsed,
  CHANNEL_OPTIONS,
  channelSettings,
  connectTarget,
  TIMEOUT_OPTION,
} from "./endpoint.ts";
import { closing } from "./running.ts";

/** What was measured with messages of one size; it is what `--json` prints. */
interface Result {
  /** The length of each message in bytes. */
  readonly size: number;
  /** Messages that went there and back, many under way at once. */
  readonly messages: number;
  /** How many of them per second. */
  readonly messagesPerSecond: number;
  /** How many bytes of them per second, each way. */
  readonly bytesPerSecond: number;
  /** Messages sent one after the other: how long each took to come back, in milliseconds. */
  readonly roundTrip: {
    readonly count: number;
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly max: number;
  };
}

const DEFAULT_SIZES = "64,1024,65536";
const DEFAULT_DURATION = 1000;
/** How long the first message may take to come back, in milliseconds. */
const ECHO_TIMEOUT = 5000;
/** How often the clock is read, in messages that are not large, in bytes. */
const CLOCK_EVERY = 64;
const LARGE = 4096;
/** How often the terminal is written to, in milliseconds. */
const SHOW_EVERY = 200;

/** `sluice bench`. */
export const benchCommand: Command = {
  name: "bench",
  operands: ["ADDRESS"],
  summary: "Measure an echo server: rates and round trips.",
  details:
    `The other side is \`sluice listen --echo\`. For each size, messages first go there
and back with many under way, then one after the other.

${ADDRESS_HELP}

  sluice bench 127.0.0.1:7000
  sluice bench --size 64,1048576 --duration 5000 --json 127.0.0.1:7000`,
  options: [
    {
      name: "size",
      value: "BYTES,...",
      help: `Lengths of the messages, ${DEFAULT_SIZES} by default`,
    },
    {
      name: "duration",
      value: "MS",
      help:
        `Length of each of the two measurements, ${DEFAULT_DURATION} by default`,
    },
    { name: "json", help: "Print JSON; times are in milliseconds" },
    TIMEOUT_OPTION,
    ...CHANNEL_OPTIONS,
    ...TLS_OPTIONS,
  ],
  async run(context: Context): Promise<number> {
    const { args, signal, write } = context;
    const operand = args.operands[0]!;
    const address = parseAddress(operand);
    assertTlsUsed(args, { to: address });
    const target = connectTarget(address, args, signal);
    const sizes = (args.get("size") ?? DEFAULT_SIZES).split(",").map((size) =>
      parseInteger("each --size", size, 0, 2 ** 32 - 1)
    );
    const duration = args.integer("duration", 1, 3_600_000) ??
      DEFAULT_DURATION;
    const settings = await channelSettings(args);
    const channel = await connect(target, settings);
    await using _ = closing(channel, signal);
    const results: Result[] = [];
    for (const size of sizes) {
      results.push(await measure(channel, size, duration, signal));
    }
    const { key, compression } = settings;
    const report = args.has("json")
      ? JSON.stringify({
        address: operand,
        encrypted: key !== undefined,
        compressed: compression !== undefined,
        duration,
        results,
      })
      : tableOf(results);
    await write(new TextEncoder().encode(`${report}\n`));
    return 0;
  },
};

async function measure(
  channel: Channel,
  size: number,
  duration: number,
  signal: AbortSignal,
): Promise<Result> {
  const message = textOf(size);
  await assertEcho(channel, message, signal);
  const rate = await measureRate(channel, message, duration, signal);
  const roundTrip = await measureRoundTrip(channel, message, duration, signal);
  return {
    size,
    messages: rate.messages,
    messagesPerSecond: Math.round(1000 * rate.messages / rate.elapsed),
    bytesPerSecond: Math.round(1000 * size * rate.messages / rate.elapsed),
    roundTrip,
  };
}

async function assertEcho(
  channel: Channel,
  message: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  await channel.send(message, { signal });
  const back = await deadline(channel.recv({ signal }), ECHO_TIMEOUT)
    .catch((error) => {
      if (error instanceof StreamError || signal.aborted) throw error;
      return undefined;
    });
  if (back?.byteLength === message.byteLength) return;
  throw new StreamError(
    "Cannot measure as the peer does not send messages back: start it as sluice listen --echo",
  );
}

/** Sends for `duration` without waiting, and counts what comes back. */
async function measureRate(
  channel: Channel,
  message: Uint8Array,
  duration: number,
  signal: AbortSignal,
): Promise<{ messages: number; elapsed: number }> {
  const progress = new Progress(`${message.byteLength} B`);
  const started = performance.now();
  let sent = 0;
  let received = 0;
  let sending = true;
  const every = message.byteLength < LARGE ? CLOCK_EVERY : 1;
  const send = async () => {
    while (sending) {
      sent++;
      // Said before the last one leaves, as the other loop waits for one more.
      sending = sent % every !== 0 || performance.now() - started < duration;
      await channel.send(message, { signal });
    }
  };
  const receive = async () => {
    while (sending || received < sent) {
      await recvEcho(channel, signal);
      received++;
      if (received % CLOCK_EVERY === 0) {
        progress.show(() => {
          const rate = 1000 * received / (performance.now() - started);
          return `${formatRate(rate)} messages/s`;
        });
      }
    }
  };
  await Promise.all([send(), receive()]);
  progress.clear();
  return { messages: received, elapsed: performance.now() - started };
}

/** Sends for `duration`, each message once the one before has come back. */
async function measureRoundTrip(
  channel: Channel,
  message: Uint8Array,
  duration: number,
  signal: AbortSignal,
): Promise<Result["roundTrip"]> {
  const progress = new Progress(`${message.byteLength} B`);
  const times: number[] = [];
  const end = performance.now() + duration;
  for (let now = performance.now(); now < end;) {
    await channel.send(message, { signal });
    await recvEcho(channel, signal);
    const before = now;
    now = performance.now();
    times.push(now - before);
    progress.show(() => `${times.length} round trips`);
  }
  progress.clear();
  times.sort((a, b) => a - b);
  const at = (share: number) =>
    round(times[Math.min(times.length - 1, Math.floor(share * times.length))]!);
  return {
    count: times.length,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    max: at(1),
  };
}

async function recvEcho(channel: Channel, signal: AbortSignal): Promise<void> {
  if (await channel.recv({ signal }) !== null) return;
  throw new StreamError("Cannot measure as the peer has ended");
}

/** Text of a length, neither random nor all the same, for a --compress that is neither. */
function textOf(size: number): Uint8Array {
  const line = (index: number) =>
    `{"id":${index},"name":"item ${index * 7919 % 10_007}"}\n`;
  let text = "";
  for (let index = 0; text.length < Math.min(size, 65_536); index++) {
    text += line(index);
  }
  const bytes = new TextEncoder().encode(text);
  return Uint8Array.from(
    { length: size },
    (_, at) => bytes[at % bytes.length]!,
  );
}

/** A line of the terminal that changes, where standard error is one. */
class Progress {
  readonly #label: string;
  readonly #live = Deno.stderr.isTerminal();
  #shown = performance.now();

  constructor(label: string) {
    this.#label = label;
  }

  /** Shows the line anew, if it is time for that. */
  show(text: () => string): void {
    const now = performance.now();
    if (!this.#live || now - this.#shown < SHOW_EVERY) return;
    this.#shown = now;
    this.#write(`\r\x1b[K${this.#label}: ${text()}`);
  }

  /** Removes the line. */
  clear(): void {
    if (this.#live) this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}

function tableOf(results: readonly Result[]): string {
  const head = ["size", "messages/s", "bytes/s", "p50", "p90", "p99", "max"];
  const rows = results.map((
    { size, messagesPerSecond, bytesPerSecond, roundTrip },
  ) => [
    formatBytes(size, { binary: true }),
    formatRate(messagesPerSecond),
    formatBytes(bytesPerSecond),
    ...[roundTrip.p50, roundTrip.p90, roundTrip.p99, roundTrip.max]
      .map((time) => `${time.toFixed(3)} ms`),
  ]);
  const widths = head.map((title, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]!.length), title.length)
  );
  const line = (row: string[]): string =>
    row.map((cell, column) => cell.padStart(widths[column]!)).join("  ");
  const first = line(head);
  return [Deno.stdout.isTerminal() ? bold(first) : first, ...rows.map(line)]
    .join("\n");
}

function formatRate(rate: number): string {
  return Math.round(rate).toLocaleString("en-US");
}

/** To a microsecond: the clock is no finer. */
function round(time: number): number {
  return Math.round(time * 1000) / 1000;
}
