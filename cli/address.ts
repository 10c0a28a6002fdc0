import type { Arguments, OptionSpec } from "./command.ts";
import { parseInteger } from "./command.ts";
import { UsageError } from "./usage_error.ts";

/** A place to listen on or connect to. */
export type Address =
  | {
    readonly kind: "tcp" | "tls";
    readonly hostname: string;
    readonly port: number;
  }
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "cmd"; readonly command: readonly string[] };

/** What the help of a command says of addresses. */
export const ADDRESS_HELP = `An ADDRESS is one of
  tcp:HOST:PORT, or HOST:PORT alone; an IPv6 address in brackets
  tls:HOST:PORT
  unix:PATH
  cmd:PROGRAM ARGUMENT...   a program to start (not to listen on), split at spaces
  cmd:["PROGRAM", "ARGUMENT", ...]   the same as JSON, for arguments with spaces`;

/** The options of TLS. */
export const TLS_OPTIONS: readonly OptionSpec[] = [
  {
    name: "tls-cert",
    value: "FILE",
    help: "Certificate chain, PEM: a server's, or a client's",
  },
  { name: "tls-key", value: "FILE", help: "Private key of --tls-cert, PEM" },
  {
    name: "tls-ca",
    value: "FILE",
    help: "Authority to trust beside the platform's, PEM; may be repeated",
    repeats: true,
  },
];

/** Reads an address that a user wrote. */
export function parseAddress(text: string): Address {
  const [, scheme, rest] = /^(tcp|tls|unix|cmd):(.*)$/s.exec(text) ??
    [text, "tcp", text];
  switch (scheme) {
    case "unix":
      if (rest === "") throw wrong(text);
      return { kind: "unix", path: rest };
    case "cmd":
      return { kind: "cmd", command: parseCommand(text, rest) };
    default: {
      const [, bracketed, plain, port] =
        /^(?:\[([0-9a-f:.%]+)\]|([^\s:/[\]]+)):(\d+)$/i.exec(rest) ?? [];
      const hostname = bracketed ?? plain;
      if (hostname === undefined || port === undefined) throw wrong(text);
      return {
        kind: scheme as "tcp" | "tls",
        hostname,
        port: parseInteger(`the port of ${text}`, port, 0, 65_535),
      };
    }
  }
}

/** An address as a user writes it. */
export function formatAddress(kind: string, address: Deno.Addr): string {
  if ("path" in address) return `unix:${address.path}`;
  if (!("hostname" in address)) return kind;
  const { hostname, port } = address;
  return `${kind}:${
    hostname.includes(":") ? `[${hostname}]` : hostname
  }:${port}`;
}

/** The files of TLS, as options of `connect` and `listen` name them. */
export function tlsFiles(
  args: Arguments,
): { certFile?: string; keyFile?: string; caCerts?: string[] } {
  const certFile = args.get("tls-cert");
  const keyFile = args.get("tls-key");
  const caCerts = args.all("tls-ca");
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new UsageError("options --tls-cert and --tls-key go together");
  }
  return {
    ...(certFile !== undefined && { certFile, keyFile }),
    ...(caCerts.length > 0 && { caCerts }),
  };
}

function parseCommand(text: string, rest: string): string[] {
  const words = rest.trimStart().startsWith("[")
    ? parseJson(rest)
    : rest.split(" ").filter((word) => word !== "");
  if (
    Array.isArray(words) && words.length > 0 &&
    words.every((word) => typeof word === "string")
  ) return words;
  throw wrong(text);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function wrong(text: string): UsageError {
  return new UsageError(
    `${
      JSON.stringify(text)
    } is no address: use tcp:HOST:PORT, tls:HOST:PORT, unix:PATH or cmd:PROGRAM`,
  );
}
