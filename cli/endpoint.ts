import {
  DEFAULT_COMPRESSION_LEVEL,
  DEFAULT_COMPRESSION_THRESHOLD,
  DEFAULT_MAX_MESSAGE_SIZE,
} from "../channels/channel_options.ts";
import type { ConnectTarget } from "../factories/connect.ts";
import type { ChannelSettings } from "../factories/channel_settings.ts";
import type { ListenOptions } from "../factories/listen_options.ts";
import { DEFAULT_CONNECT_TIMEOUT } from "../streams/_establish.ts";
import { type Address, TLS_OPTIONS, tlsFiles } from "./address.ts";
import type { Arguments, OptionSpec } from "./command.ts";
import { UsageError } from "./usage_error.ts";

/** The options of every channel. */
export const CHANNEL_OPTIONS: readonly OptionSpec[] = [
  {
    name: "key-file",
    value: "FILE",
    help: "Encrypt with the key in FILE, 16 to 64 random bytes that both\n" +
      "sides have (head -c 32 /dev/urandom > FILE)",
  },
  {
    name: "compress",
    help:
      `Compress messages of more than ${DEFAULT_COMPRESSION_THRESHOLD} bytes before they are sent`,
  },
  {
    name: "level",
    value: "0-9",
    help: `Level of --compress, ${DEFAULT_COMPRESSION_LEVEL} by default`,
  },
  {
    name: "max-message-size",
    value: "BYTES",
    help: `Refuse longer messages, ${DEFAULT_MAX_MESSAGE_SIZE} by default`,
  },
];

/** How long to wait for a connection. */
export const TIMEOUT_OPTION: OptionSpec = {
  name: "timeout",
  value: "MS",
  help:
    `Deadline for connecting, ${DEFAULT_CONNECT_TIMEOUT} by default; 0 is none`,
};

/** What the options say of the channel. */
export async function channelSettings(
  args: Arguments,
): Promise<ChannelSettings> {
  const level = args.integer("level", 0, 9);
  if (level !== undefined && !args.has("compress")) {
    throw new UsageError("option --level goes with --compress");
  }
  const maxMessageSize = args.integer("max-message-size", 0, 2 ** 32 - 1);
  const keyFile = args.get("key-file");
  return {
    ...(args.has("compress") && { compression: { level } }),
    ...(maxMessageSize !== undefined && { maxMessageSize }),
    ...(keyFile !== undefined && { key: await Deno.readFile(keyFile) }),
  };
}

/**
 * Refuses options of TLS that neither address is for: who gives them counts on
 * them.
 *
 * @param from Where to listen.
 * @param to Where to connect.
 */
export function assertTlsUsed(
  args: Arguments,
  { from, to }: { from?: Address; to?: Address },
): void {
  const given = TLS_OPTIONS.map(({ name }) => name)
    .filter((name) => args.get(name) !== undefined);
  if (given.length === 0 || to?.kind === "tls") return;
  const [name] = from?.kind === "tls"
    ? given.filter((name) => name === "tls-ca") // Clients are not asked for certificates.
    : given;
  if (name === undefined) return;
  throw new UsageError(
    `option --${name} needs an address tls:HOST:PORT${
      from && name === "tls-ca" ? " to connect to" : ""
    }`,
  );
}

/** Where to connect. */
export function connectTarget(
  address: Address,
  args: Arguments,
  signal: AbortSignal,
): ConnectTarget {
  const timeout = args.integer("timeout", 0, 2 ** 31 - 1);
  const wait = { signal, ...(timeout !== undefined && { timeout }) };
  switch (address.kind) {
    case "unix":
      return { path: address.path, ...wait };
    case "cmd":
      if (timeout !== undefined) {
        throw new UsageError("option --timeout does not go with cmd:");
      }
      return { command: address.command, signal };
    case "tls": {
      const { hostname, port } = address;
      return { hostname, port, tls: tlsFiles(args), ...wait };
    }
    case "tcp": {
      const { hostname, port } = address;
      return { hostname, port, ...wait };
    }
  }
}

/** Where to listen. */
export function listenOptions(
  address: Address,
  args: Arguments,
): ListenOptions {
  switch (address.kind) {
    case "unix":
      return { path: address.path };
    case "cmd":
      throw new UsageError("cannot listen on a command");
    case "tls": {
      const { hostname, port } = address;
      const { certFile, keyFile } = tlsFiles(args);
      if (certFile === undefined || keyFile === undefined) {
        throw new UsageError(
          "listening on tls: needs --tls-cert and --tls-key",
        );
      }
      return { hostname, port, certFile, keyFile };
    }
    case "tcp": {
      const { hostname, port } = address;
      return { hostname, port };
    }
  }
}
