import type { ByteStream } from "../streams/byte_stream.ts";
import { PipeStream } from "../streams/pipe_stream.ts";
import { SocketStream } from "../streams/socket_stream.ts";
import { refuseOptions } from "../streams/_refuse_options.ts";
import type { ConnectTarget, TcpTarget } from "./connect.ts";

/** Connects to `target`. What is no option of its kind is refused. */
export async function openStream(target: ConnectTarget): Promise<ByteStream> {
  if ("path" in target) {
    const { path, ...options } = target;
    return await SocketStream.connectUnix(path, options);
  }
  if ("command" in target) {
    const { command, ...options } = target;
    return await PipeStream.spawn(command, options);
  }
  return await openPort(target);
}

async function openPort(
  {
    hostname = "127.0.0.1",
    port,
    tls,
    ipv6,
    keepAlive,
    noDelay,
    attempts,
    timeout,
    signal,
    ...rest
  }: TcpTarget,
): Promise<ByteStream> {
  refuseOptions("connect to a port", rest);
  const options = { ipv6, keepAlive, noDelay, attempts, timeout, signal };
  if (!tls) return await SocketStream.connect(hostname, port, options);
  const { keyFile, certFile, caCerts, alpnProtocols, ...others } = tls === true
    ? {}
    : tls;
  refuseOptions("connect over TLS", others);
  const secure = { keyFile, certFile, caCerts, alpnProtocols };
  return await SocketStream.connectTls(hostname, port, {
    ...options,
    ...secure,
  });
}
