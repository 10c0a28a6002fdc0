import { resolveOptions } from "../channels/channel_options.ts";
import { assertSecureArguments } from "../channels/_secure_handshake.ts";
import { Channel } from "../channels/channel.ts";
import { EncryptedChannel } from "../channels/encrypted_channel.ts";
import type { SecureRole } from "../channels/secure_options.ts";
import type { ByteStreamPair } from "../streams/byte_stream_pair.ts";
import type { ChannelSettings } from "./channel_settings.ts";

/** Refuses wrong settings before there is a connection to lose. */
export function assertSettings(
  { key, role, context, handshakeTimeout, ...options }: ChannelSettings,
): void {
  resolveOptions(options);
  if (key !== undefined) {
    return assertSecureArguments(key, { role, context, handshakeTimeout });
  }
  if (role === undefined && context === undefined) return;
  throw new TypeError(
    "Cannot use role or context without key: the channel would not be encrypted",
  );
}

/** Makes the channel of a connection whose settings were checked. */
export function makeChannel(
  stream: ByteStreamPair,
  defaultRole: SecureRole,
  { key, role = defaultRole, context, handshakeTimeout, ...options }:
    ChannelSettings,
): Channel {
  if (key === undefined) return new Channel(stream, options);
  const secure = { role, context, handshakeTimeout };
  return new EncryptedChannel(stream, key, { ...options, ...secure });
}
