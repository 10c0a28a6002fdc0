import type { Channel } from "../channels/channel.ts";
import { serve } from "../factories/serve.ts";
import {
  ADDRESS_HELP,
  formatAddress,
  parseAddress,
  TLS_OPTIONS,
} from "./address.ts";
import type { Command, Context } from "./command.ts";
import {
  assertTlsUsed,
  CHANNEL_OPTIONS,
  channelSettings,
  listenOptions,
} from "./endpoint.ts";
import { printMessages, RAW_OPTION } from "./print_messages.ts";
import { aborted, describe } from "./running.ts";

/**
 * How long the end waits for a peer that does not read, or for who reads our
 * output, in milliseconds: a user who interrupts does not want to wait. What
 * --once waits for has ended by then.
 */
const SHUTDOWN_TIMEOUT = 500;

/** `sluice listen`. */
export const listenCommand: Command = {
  name: "listen",
  operands: ["ADDRESS"],
  summary: "Accept connections and print the messages that they send.",
  details:
    `Each message is printed as a line. Port 0 lets the system choose: standard error
tells which. SIGINT or SIGTERM ends it.

${ADDRESS_HELP}

  sluice listen 127.0.0.1:7000
  sluice listen --echo --key-file key tcp:0.0.0.0:7000`,
  options: [
    { name: "echo", help: "Send each message back in place of printing it" },
    {
      name: "once",
      help: "End after the first connection; the exit code is 1 if it failed",
    },
    RAW_OPTION,
    ...CHANNEL_OPTIONS,
    ...TLS_OPTIONS,
  ],
  async run(context: Context): Promise<number> {
    const { args, say } = context;
    const address = parseAddress(args.operands[0]!);
    assertTlsUsed(args, { from: address });
    const served = Promise.withResolvers<number>();
    await using server = serve({
      ...listenOptions(address, args),
      ...await channelSettings(args),
      shutdownTimeout: SHUTDOWN_TIMEOUT,
      onError: (error, { info }) => {
        const who = info?.remote?.hostname;
        say(
          `${who === undefined ? "" : `${who}:${info?.remote?.port}: `}${
            describe(error)
          }`,
        );
      },
    }, async (channel, { signal }) => {
      let code = 1;
      try {
        await (args.has("echo")
          ? echo(channel, signal)
          : printMessages(channel, context, { signal }));
        // Its last replies may take longer than the shutdown would wait.
        await channel.close();
        const failure = await channel.finished;
        if (failure) throw failure;
        code = 0;
      } finally {
        served.resolve(code);
      }
    });
    say(`listening on ${formatAddress(address.kind, server.addr)}`);
    const ends = [aborted(context.signal).then(() => 0)];
    if (args.has("once")) ends.push(served.promise);
    return await Promise.race(ends);
  },
};

async function echo(channel: Channel, signal: AbortSignal): Promise<void> {
  for (;;) {
    const message = await channel.recv({ signal });
    if (message === null) return;
    await channel.send(message, { signal });
  }
}
