import { deadline } from "jsr:@std/async@^1.5.0/deadline";
import { TextLineStream } from "jsr:@std/streams@^1.1.2/text-line-stream";
import { toBytes } from "jsr:@std/streams@^1.1.2/to-bytes";
import type { Channel } from "../channels/channel.ts";
import { ConnectionLostError } from "../errors.ts";
import { connect } from "../factories/connect.ts";
import { ADDRESS_HELP, parseAddress, TLS_OPTIONS } from "./address.ts";
import type { Arguments, Command, Context } from "./command.ts";
import {
  assertTlsUsed,
  CHANNEL_OPTIONS,
  channelSettings,
  connectTarget,
  TIMEOUT_OPTION,
} from "./endpoint.ts";
import { printMessages, RAW_OPTION } from "./print_messages.ts";
import { closing } from "./running.ts";

/**
 * How long the end waits for what is queued, in milliseconds. Without an
 * interruption nothing is, and with one a user does not want to wait.
 */
const CLOSE_TIMEOUT = 500;
/**
 * How long the end of our input may come after that of the peer, in milliseconds. A
 * peer that answers the last message and ends can be faster than the platform is to
 * tell that standard input, which has nothing left, has ended.
 */
const END_GRACE = 100;

/** `sluice connect`. */
export const connectCommand: Command = {
  name: "connect",
  operands: ["ADDRESS"],
  summary: "Send standard input as messages and print what comes back.",
  details:
    `Each line, of UTF-8 text, is a message without its line break; for other bytes
there are --whole and --file. After the last one the peer sees the end, and messages
are printed, each as a line, until the peer ends too.

${ADDRESS_HELP}

  echo ping | sluice connect 127.0.0.1:7000
  sluice connect --file photo.jpg --raw unix:/run/thumbnailer > small.jpg`,
  options: [
    {
      name: "file",
      value: "FILE",
      help: "Send FILE as one message, not standard input; may be repeated",
      repeats: true,
    },
    { name: "whole", help: "Send all of standard input as one message" },
    { name: "count", value: "N", help: "End after N messages have come back" },
    RAW_OPTION,
    TIMEOUT_OPTION,
    ...CHANNEL_OPTIONS,
    ...TLS_OPTIONS,
  ],
  async run(context: Context): Promise<number> {
    const { args, signal } = context;
    const address = parseAddress(args.operands[0]!);
    assertTlsUsed(args, { to: address });
    const target = connectTarget(address, args, signal);
    const count = args.integer("count", 1, Number.MAX_SAFE_INTEGER);
    const channel = await connect(target, {
      ...await channelSettings(args),
      closeTimeout: CLOSE_TIMEOUT,
    });
    await using _ = closing(channel, signal);
    const sent = send(channel, context);
    // All is sent before the end, which a peer may answer with its own.
    const sending = sent.then(() => channel.writable.close());
    const receiving = printMessages(channel, context, {
      signal,
      ...(count !== undefined && { count }),
    });
    sending.catch(() => {}); // The first failure of the two is told.
    receiving.catch(() => {});
    await Promise.race([sending.then(() => receiving), receiving]);
    if (await receiving === "ended" && !await sentBeforeEnd(channel, sent)) {
      throw new ConnectionLostError(
        "Cannot send all messages as the peer has ended",
      );
    }
    return 0;
  },
};

/** Sends what there is to send. */
async function send(
  channel: Channel,
  { args, signal }: Context,
): Promise<void> {
  for await (const message of messages(args)) {
    await channel.send(message, { signal });
  }
  await channel.flush();
}

/** Whether all was sent before the peer ended, which it has just done. */
async function sentBeforeEnd(
  channel: Channel,
  sent: Promise<void>,
): Promise<boolean> {
  const { messagesSent, queuedBytes } = channel.stats;
  if (queuedBytes > 0) return false;
  try {
    await deadline(sent, END_GRACE);
  } catch {
    return false; // Whatever came in between, the end of the peer was first.
  }
  return channel.stats.messagesSent === messagesSent; // A later one is too late.
}

async function* messages(args: Arguments): AsyncGenerator<Uint8Array> {
  const files = args.all("file");
  for (const file of files) yield await Deno.readFile(file);
  if (args.has("whole")) {
    yield await toBytes(Deno.stdin.readable);
  } else if (files.length === 0) {
    const encoder = new TextEncoder();
    // Nothing is to be altered: a byte order mark is sent, and what is no text not.
    const decoder = new TextDecoderStream("utf-8", TEXT_OPTIONS);
    const lines = Deno.stdin.readable
      .pipeThrough(decoder)
      .pipeThrough(new TextLineStream());
    try {
      for await (const line of lines) yield encoder.encode(line);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new Error(
        "Cannot read lines as the input is not UTF-8 text: use --whole",
        { cause: error },
      );
    }
  }
}

const TEXT_OPTIONS = { fatal: true, ignoreBOM: true };
