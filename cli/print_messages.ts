import { concat } from "jsr:@std/bytes@^1.0.6/concat";
import type { Channel } from "../channels/channel.ts";
import type { Context, OptionSpec } from "./command.ts";
import { NEW_LINE } from "./running.ts";

/** How messages are printed. */
export const RAW_OPTION: OptionSpec = {
  name: "raw",
  help: "Print messages as they are, without line breaks",
};

/** Prints what `channel` receives until the peer has ended, or `count` messages have come. */
export async function printMessages(
  channel: Channel,
  { args, write }: Context,
  { signal, count = Infinity }: { signal: AbortSignal; count?: number },
): Promise<"ended" | "enough"> {
  const end = args.has("raw") ? new Uint8Array() : NEW_LINE;
  for (let printed = 0; printed < count; printed++) {
    const message = await channel.recv({ signal });
    if (message === null) return "ended";
    await write(concat([message, end]));
  }
  return "enough";
}
