import type { Channel } from "../channels/channel.ts";
import { onAbort } from "../streams/_on_abort.ts";
import type { ByteStream } from "../streams/byte_stream.ts";
import type { ChannelSettings } from "../factories/channel_settings.ts";
import { connect } from "../factories/connect.ts";
import { openStream } from "../factories/_open_stream.ts";
import { listen } from "../factories/listen.ts";
import type { ListenOptions } from "../factories/listen_options.ts";
import { serve } from "../factories/serve.ts";
import {
  ADDRESS_HELP,
  formatAddress,
  parseAddress,
  TLS_OPTIONS,
} from "./address.ts";
import type { Arguments, Command, Context } from "./command.ts";
import {
  assertTlsUsed,
  CHANNEL_OPTIONS,
  channelSettings,
  connectTarget,
  listenOptions,
  TIMEOUT_OPTION,
} from "./endpoint.ts";
import { aborted, describe } from "./running.ts";
import { UsageError } from "./usage_error.ts";

/** `sluice forward`. */
export const forwardCommand: Command = {
  name: "forward",
  operands: ["FROM", "TO"],
  summary: "Bridge two addresses: each connection to FROM gets one to TO.",
  details:
    `Both sides carry messages, unless --raw says otherwise. --key-file and --compress
are for the side that --secure names, TO by default. SIGINT or SIGTERM ends it.

${ADDRESS_HELP}

A plain RPyC client here, an RPyC server there, encrypted in between:
  sluice forward --key-file key 127.0.0.1:18861 far.example.com:7000
  sluice forward --key-file key --secure from 0.0.0.0:7000 127.0.0.1:18861
The same for any service, HTTP for example:
  sluice forward --key-file key --raw from 127.0.0.1:8080 far.example.com:7000
  sluice forward --key-file key --secure from --raw to 0.0.0.0:7000 127.0.0.1:80`,
  options: [
    {
      name: "secure",
      value: "SIDE",
      help: "Which side --key-file and --compress are for: from, to, both",
    },
    {
      name: "raw",
      value: "SIDE",
      help: "Which side carries plain bytes, not messages: from, to, both",
    },
    TIMEOUT_OPTION,
    ...CHANNEL_OPTIONS,
    ...TLS_OPTIONS,
  ],
  async run(context: Context): Promise<number> {
    const { args, say, signal } = context;
    const from = parseAddress(args.operands[0]!);
    const to = parseAddress(args.operands[1]!);
    assertTlsUsed(args, { from, to });
    const listening = listenOptions(from, args);
    const target = connectTarget(to, args, signal);
    const raw = sides(args, "raw", "none");
    const secure = sides(args, "secure", "to");
    const { key, compression, ...plain } = await channelSettings(args);
    const secured = { ...plain, key, compression };
    for (const side of ["from", "to"] as const) {
      if (raw[side] && secure[side] && (key || compression)) {
        throw new UsageError(
          `the side ${side} cannot carry plain bytes and be encrypted or compressed`,
        );
      }
    }
    const openFar = () =>
      raw.to
        ? openStream(target)
        : connect(target, secure.to ? secured : plain);
    const bridge = async (near: Side) => {
      try {
        await join(near, openFar, signal);
      } catch (error) {
        if (!signal.aborted) say(describe(error));
      }
    };
    const server = raw.from
      ? listenBytes(listening, bridge)
      : listenMessages(listening, secure.from ? secured : plain, bridge, say);
    await using _ = server;
    say(
      `forwarding ${formatAddress(from.kind, server.addr)} to ${
        args.operands[1]
      }`,
    );
    await aborted(signal);
    return 0;
  },
};

/** One side of a bridge: messages or bytes. */
type Side = Channel | ByteStream;

interface Listening extends AsyncDisposable {
  readonly addr: Deno.Addr;
}

/** Hands on what either side sends, until both have ended. */
async function join(
  near: Side,
  openFar: () => Promise<Side>,
  signal: AbortSignal,
): Promise<void> {
  const sides = [near];
  // Until both are closed, which one of them may take its time for.
  using _ = onAbort(signal, () => {
    for (const side of sides) side.abort(signal.reason);
  });
  try {
    await using far = await openFar();
    sides.push(far);
    await Promise.all([
      near.readable.pipeTo(far.writable),
      far.readable.pipeTo(near.writable),
    ]);
  } catch (error) {
    near.abort(error);
    throw error;
  } finally {
    await near.close();
  }
}

function listenMessages(
  listening: ListenOptions,
  settings: ChannelSettings,
  bridge: (near: Side) => Promise<void>,
  say: (text: string) => void,
): Listening {
  return serve({
    ...listening,
    ...settings,
    onError: (error) => say(describe(error)),
  }, bridge);
}

function listenBytes(
  listening: ListenOptions,
  bridge: (near: Side) => Promise<void>,
): Listening {
  const listener = listen(listening);
  const bridges = new Set<Promise<void>>();
  const accepting = (async () => {
    for await (const stream of listener) {
      const bridged = bridge(stream).finally(() => bridges.delete(bridged));
      bridges.add(bridged);
    }
  })();
  return {
    addr: listener.addr,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      await Promise.all(bridges);
    },
  };
}

function sides(
  args: Arguments,
  name: string,
  byDefault: string,
): { from: boolean; to: boolean } {
  const side = args.get(name) ?? byDefault;
  if (args.get(name) === undefined || /^(from|to|both)$/.test(side)) {
    return {
      from: side === "from" || side === "both",
      to: side === "to" || side === "both",
    };
  }
  throw new UsageError(
    `option --${name} must be from, to or both: current value is ${
      JSON.stringify(side)
    }`,
  );
}
