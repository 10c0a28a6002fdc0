import type { Channel, ChannelStats } from "../channels/channel.ts";
import type { StreamError } from "../errors.ts";
import type { StreamInfo } from "../streams/byte_stream.ts";
import type { ErrorInfo } from "./error_info.ts";

/**
 * The names of the events that `connect`, `listen` and `serve` publish through
 * `node:diagnostics_channel`. Without a subscriber no message is built.
 *
 * | name | message | published |
 * | --- | --- | --- |
 * | `sluice:connect` | {@linkcode ConnectMessage} | by `connect`, once messages can flow |
 * | `sluice:accept` | {@linkcode AcceptMessage} | by `listen` and `serve`, before the connection is handed over |
 * | `sluice:close` | {@linkcode CloseMessage} | when a connection that was announced is over |
 * | `sluice:error` | {@linkcode ErrorMessage} | when anything fails: a connection, before its `sluice:close`; a handler, when it throws |
 *
 * @example
 * ```ts
 * import { subscribe, unsubscribe } from "node:diagnostics_channel";
 * import { connect, type ConnectMessage, serve } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * const transports: string[] = [];
 * const onConnect = (message: unknown) => {
 *   transports.push((message as ConnectMessage).info.transport);
 * };
 * subscribe("sluice:connect", onConnect);
 *
 * await using server = serve({ port: 0 }, (channel) => channel.recv());
 * await using channel = await connect({ port: server.addr.port });
 * assertEquals(transports, ["tcp"]);
 *
 * await channel.close();
 * unsubscribe("sluice:connect", onConnect);
 * ```
 */
export const DIAGNOSTICS_CHANNELS: {
  /** Carries {@linkcode ConnectMessage}. */
  readonly connect: "sluice:connect";
  /** Carries {@linkcode AcceptMessage}. */
  readonly accept: "sluice:accept";
  /** Carries {@linkcode CloseMessage}. */
  readonly close: "sluice:close";
  /** Carries {@linkcode ErrorMessage}. */
  readonly error: "sluice:error";
} = {
  connect: "sluice:connect",
  accept: "sluice:accept",
  close: "sluice:close",
  error: "sluice:error",
};

/** The message of `sluice:connect`: we made a connection. */
export interface ConnectMessage {
  /** The connection. */
  readonly info: StreamInfo;
  /** The channel over it. */
  readonly channel: Channel;
  /** How long that took with all handshakes, in milliseconds. */
  readonly duration: number;
}

/** The message of `sluice:accept`: a peer made a connection to us. */
export interface AcceptMessage {
  /** The connection. */
  readonly info: StreamInfo;
  /** The channel over it; none when it came from `listen`. */
  readonly channel?: Channel;
}

/** The message of `sluice:close`: a connection is over. */
export interface CloseMessage {
  /** The connection. */
  readonly info: StreamInfo;
  /** Which side we were. */
  readonly side: "client" | "server";
  /** How long it was in use, in milliseconds. */
  readonly duration: number;
  /** Why, unless it ended cleanly. */
  readonly error?: StreamError;
  /** The channel over it; none when it came from `listen`. */
  readonly channel?: Channel;
  /** What went through the channel. */
  readonly stats?: ChannelStats;
}

/** The message of `sluice:error`: something failed. */
export interface ErrorMessage extends ErrorInfo {
  /** The failure. */
  readonly error: unknown;
}
