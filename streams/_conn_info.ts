import type { StreamAddress, StreamInfo } from "./stream_info.ts";

/** What a stream over `conn` says about itself. */
export function infoOf(conn: Deno.Conn): StreamInfo {
  return {
    transport: transportOf(conn),
    local: addressOf(conn.localAddr),
    remote: addressOf(conn.remoteAddr),
  };
}

/** The same after a TLS handshake that is done. */
export async function tlsInfoOf(conn: Deno.TlsConn): Promise<StreamInfo> {
  const { alpnProtocol } = await conn.handshake(); // This asks for its result.
  return { ...infoOf(conn), ...(alpnProtocol !== null && { alpnProtocol }) };
}

function transportOf(conn: Deno.Conn): string {
  if ("handshake" in conn) return "tls";
  return conn.localAddr.transport;
}

function addressOf(address: Deno.Addr): StreamAddress {
  if ("path" in address) {
    const path: string | null = address.path; // One end of most has no name.
    return path === null ? {} : { path };
  }
  if ("hostname" in address) {
    return { hostname: address.hostname, port: address.port };
  }
  return {};
}
