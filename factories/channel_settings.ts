import type { ChannelOptions } from "../channels/channel_options.ts";
import type { SecureOptions } from "../channels/secure_options.ts";

/** Which channel `connect` and `serve` make of a connection. */
export interface ChannelSettings extends ChannelOptions, SecureOptions {
  /**
   * The secret that both sides share, 16 to 64 random bytes: the channel is then
   * an `EncryptedChannel`. Without it, the channel is not encrypted.
   */
  key?: Uint8Array;
}
