import { abortable } from "jsr:@std/async@^1.5.0/abortable";
import type { Channel } from "../channels/channel.ts";
import type { SecureRole } from "../channels/secure_options.ts";
import type { ByteStream } from "../streams/byte_stream.ts";
import { makeChannel } from "./_make_channel.ts";
import type { ChannelSettings } from "./channel_settings.ts";

/**
 * Makes the channel of a connection and waits until messages can flow. If they
 * cannot, or `signal` comes first, nothing is left of the connection.
 */
export async function openChannel(
  stream: ByteStream,
  role: SecureRole,
  settings: ChannelSettings,
  signal: AbortSignal | undefined,
): Promise<Channel> {
  try {
    const channel = makeChannel(stream, role, settings);
    const { ready } = channel;
    await (signal ? abortable(ready, signal) : ready);
    return channel;
  } catch (error) {
    stream.abort(error); // And with it the channel, which has no other end.
    await stream.finished;
    throw error;
  }
}
