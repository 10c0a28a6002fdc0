import { assertInteger } from "../_assert.ts";
import { builtin } from "../_builtin.ts";

/** What a tunnel leads to. */
export interface Target {
  /** Host name or IP address, which the far end of the tunnel resolves. */
  readonly host: string;
  /** Port, 1 to 65535. */
  readonly port: number;
}

/** The longest host name of the DNS, and of SOCKS5, in bytes. */
const MAX_HOST_LENGTH = 255;

/**
 * Refuses what is no host and port. It keeps a line break out of the request to
 * an HTTP proxy, and an option out of the command line of ssh.
 */
export function assertTarget({ host, port }: Target): void {
  const isName = /^[a-z0-9_]([a-z0-9_.-]*)$/i.test(host) &&
    host.length <= MAX_HOST_LENGTH;
  if (!isName && (builtin("node:net").isIP(host) === 0 || host.includes("%"))) {
    throw new TypeError(
      `Cannot connect as a host must be a name in ASCII or an IP address: current value is ${
        JSON.stringify(host)
      }`,
    );
  }
  assertInteger("port", port, 1, 65_535);
}

/** `host:port` as URLs and ssh write it, an IPv6 address in brackets. */
export function authorityOf({ host, port }: Target): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
