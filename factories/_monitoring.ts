import type * as diagnostics from "node:diagnostics_channel";
import type { Channel } from "../channels/channel.ts";
import { StreamClosedError, type StreamError } from "../errors.ts";
import { builtin } from "../streams/_builtin.ts";
import type { StreamInfo } from "../streams/byte_stream.ts";
import type { ErrorPhase } from "./error_info.ts";
import {
  type AcceptMessage,
  type CloseMessage,
  type ConnectMessage,
  DIAGNOSTICS_CHANNELS,
  type ErrorMessage,
} from "./monitoring.ts";

/** The diagnostics channel, if anybody listens to it. */
function listenedTo(
  event: keyof typeof DIAGNOSTICS_CHANNELS,
): diagnostics.Channel | undefined {
  const { channel } = builtin("node:diagnostics_channel");
  const found = channel(DIAGNOSTICS_CHANNELS[event]);
  return found.hasSubscribers ? found : undefined;
}

/** Announces a connection that we made, which took since `started`. */
export function publishConnect(
  info: StreamInfo,
  channel: Channel,
  started: number,
): void {
  const connects = listenedTo("connect");
  if (!connects) return;
  const duration = performance.now() - started;
  connects.publish({ info, channel, duration } satisfies ConnectMessage);
}

/** Announces a connection that a peer made. */
export function publishAccept(info: StreamInfo, channel?: Channel): void {
  listenedTo("accept")?.publish({ info, channel } satisfies AcceptMessage);
}

/** Announces a failure. */
export function publishError(
  error: unknown,
  phase: ErrorPhase,
  info?: StreamInfo,
): void {
  listenedTo("error")?.publish({ error, phase, info } satisfies ErrorMessage);
}

/** Announces the end of a connection, and its failure, once it comes. */
export function publishEnd(
  side: CloseMessage["side"],
  info: StreamInfo,
  finished: Promise<StreamError | undefined>,
  channel?: Channel,
): void {
  const started = performance.now();
  finished.then((error) => { // It never rejects.
    // That we gave up on it is no failure of the connection.
    if (error && !(error instanceof StreamClosedError)) {
      publishError(error, "connection", info);
    }
    const closes = listenedTo("close");
    if (!closes) return;
    const duration = performance.now() - started;
    const stats = channel?.stats;
    closes.publish(
      { info, side, duration, error, channel, stats } satisfies CloseMessage,
    );
  });
}
