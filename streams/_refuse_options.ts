/**
 * Refuses options that are left over: what cannot be honoured is not ignored, as
 * whoever gives it counts on it.
 *
 * @param action What the options are for: `connect over TLS`.
 * @param rest The options that it does not know.
 * @param reasons Why not, by name, where there is more to say.
 */
export function refuseOptions(
  action: string,
  rest: Readonly<Record<string, unknown>>,
  reasons: Readonly<Partial<Record<string, string>>> = {},
): void {
  const [name] = Object.keys(rest).filter((name) => rest[name] !== undefined);
  if (name === undefined) return;
  const known = { ...REASONS, ...reasons };
  const reason = Object.hasOwn(known, name)
    ? known[name]
    : "it has no such option";
  throw new TypeError(`Cannot ${action} with ${name}: ${reason}`);
}

const SOCKET_OPTION = "the platform does not allow it for this transport";

const REASONS: Partial<Record<string, string>> = {
  noDelay: SOCKET_OPTION,
  keepAlive: SOCKET_OPTION,
  ipv6: SOCKET_OPTION,
};
