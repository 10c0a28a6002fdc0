import {
  BufferedStream,
  type ByteStream,
  MonitoredStream,
  PipeStream,
  SocketStream,
} from "@sluice/sluice/streams";
import { fromFileUrl } from "@std/path/from-file-url";
import { join } from "@std/path/join";
import { certificates } from "../_certificates.ts";
import type { Connection, Subject } from "./conformance.ts";

const ROOT = new URL("../../", import.meta.url);

/** Every kind of stream that this package makes. */
export const memory: Subject = {
  name: "A stream in memory",
  roles: ["near end", "far end"],
  connect: () => Promise.resolve(connection(PipeStream.createPair())),
};

export const tcp: Subject = {
  name: "A TCP stream",
  roles: ["client", "server"],
  async connect() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const [conn, client] = await Promise.all([
      listener.accept(),
      SocketStream.connect("127.0.0.1", port),
    ]);
    return connection([client, new SocketStream(conn)]);
  },
};

export const tls: Subject = {
  name: "A TLS stream",
  roles: ["client", "server"],
  async connect() {
    const { ca, server } = await certificates();
    using listener = Deno.listenTls({
      hostname: "127.0.0.1",
      port: 0,
      ...server,
    });
    const { port } = listener.addr as Deno.NetAddr;
    const accept = async () => {
      const conn = await listener.accept();
      await conn.handshake();
      return new SocketStream(conn);
    };
    return connection(
      await Promise.all([
        SocketStream.connectTls("127.0.0.1", port, { caCerts: [ca] }),
        accept(),
      ]),
    );
  },
};

export const unix: Subject = {
  name: "A stream over a Unix socket",
  roles: ["client", "server"],
  ignore: Deno.build.os === "windows",
  async connect() {
    const folder = await Deno.makeTempDir({ prefix: "sluice_" });
    try {
      const path = join(folder, "socket");
      using listener = Deno.listen({ transport: "unix", path });
      const [conn, client] = await Promise.all([
        listener.accept(),
        SocketStream.connectUnix(path),
      ]);
      return connection([client, new SocketStream(conn)]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
};

export const subprocess: Subject = {
  name: "A child's stream",
  roles: ["parent", "child"],
  // The platform keeps a child's standard output open until it exits.
  halfClose: [true, false],
  async connect() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const [conn, parent] = await Promise.all([
      listener.accept(),
      PipeStream.spawn([
        Deno.execPath(),
        "run",
        "--no-check",
        "--allow-net=127.0.0.1",
        "--config",
        fromFileUrl(new URL("deno.json", ROOT)),
        fromFileUrl(new URL("_bridge.ts", import.meta.url)),
        String(port),
      ], { stderr: "piped", killTimeout: 2000 }),
    ]);
    return connection([parent, new SocketStream(conn)]);
  },
};

/** Two web streams of the platform, which know nothing of ours. */
export const foreign: Subject = {
  name: "A stream over a pair of somebody else",
  roles: ["near end", "far end"],
  connect() {
    const pipe = () => {
      const buffer = new ByteLengthQueuingStrategy({ highWaterMark: 65_536 });
      return new TransformStream<Uint8Array, Uint8Array>({}, undefined, buffer);
    };
    const [there, back] = [pipe(), pipe()];
    return Promise.resolve(connection([
      new PipeStream(back.readable, there.writable),
      new PipeStream(there.readable, back.writable),
    ]));
  },
};

/** Both ends of another subject, buffered. */
export function buffered(subject: Subject): Subject {
  return wrapped(
    "A buffered stream over",
    subject,
    (stream) => new BufferedStream(stream),
  );
}

/** Both ends of another subject, monitored. */
export function monitored(subject: Subject): Subject {
  return wrapped(
    "A monitored stream over",
    subject,
    (stream) => new MonitoredStream(stream),
  );
}

function wrapped(
  prefix: string,
  subject: Subject,
  wrap: (stream: ByteStream) => ByteStream,
): Subject {
  return {
    ...subject,
    name: `${prefix} ${subject.name.charAt(0).toLowerCase()}${
      subject.name.slice(1)
    }`,
    async connect() {
      const { ends } = await subject.connect();
      return connection([wrap(ends[0]), wrap(ends[1])]);
    },
  };
}

function connection(ends: [ByteStream, ByteStream]): Connection {
  return {
    ends,
    async [Symbol.asyncDispose]() {
      await Promise.all(ends.map((end) => end.close()));
    },
  };
}
