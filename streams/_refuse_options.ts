/**
 * Refuses options that are left over: what cannot be honoured is not ignored,
 * as a server that seems to ask for client certificates, and does not, is worse
 * than none.
 */
export function refuseOptions(
  action: string,
  rest: Readonly<Record<string, unknown>>,
): void {
  const [name] = Object.keys(rest).filter((name) => rest[name] !== undefined);
  if (name === undefined) return;
  const reason = REASONS[name] ?? "it has no such option";
  throw new TypeError(`Cannot ${action} with ${name}: ${reason}`);
}

const CLIENT_CERTIFICATES =
  "the platform's TLS listener does not verify client certificates";
const SOCKET_OPTION = "the platform does not allow it for this transport";

const REASONS: Partial<Record<string, string>> = {
  ca: CLIENT_CERTIFICATES,
  caCerts: CLIENT_CERTIFICATES,
  clientAuth: CLIENT_CERTIFICATES,
  requestCert: CLIENT_CERTIFICATES,
  rejectUnauthorized: CLIENT_CERTIFICATES,
  noDelay: SOCKET_OPTION,
  keepAlive: SOCKET_OPTION,
  ipv6: SOCKET_OPTION,
};
