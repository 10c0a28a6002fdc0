/**
 * npm:ws with its native helper (bufferutil), no compression, no Nagle (its
 * default). The source is the WebSocket server, as only the frames of a client
 * have to be masked: the other way round is slower.
 */
import { createRequire } from "node:module";
import { play } from "./_role.mjs";

// Not imported, as type checking this repository must not need its packages.
const { WebSocket, WebSocketServer } = createRequire(import.meta.url)("ws");

const OPTIONS = { perMessageDeflate: false, maxPayload: 0 };

/** Calls `onMessage` for each of `count` messages; resolves to what came. */
function take(socket, count, onMessage) {
  return new Promise((resolve) => {
    let messages = 0, bytes = 0;
    const listener = (message) => {
      bytes += message.length;
      onMessage?.(message);
      if (++messages < count) return;
      socket.off("message", listener);
      resolve({ count: messages, bytes });
    };
    socket.on("message", listener);
  });
}

/** Takes part; `sendMany(socket, payload, count)` resolves once all are sent. */
export function playWebSocket(sendMany) {
  const makePeer = (socket) => ({
    async oneWay(payload, count) {
      const answered = take(socket, 1);
      await sendMany(socket, payload, count);
      await answered;
    },
    async roundTrip(payload, count) {
      let left = count;
      const answered = take(socket, count, () => {
        if (--left > 0) socket.send(payload);
      });
      socket.send(payload);
      await answered;
    },
    async receive(_size, count) {
      const tally = await take(socket, count);
      socket.send("received");
      return tally;
    },
    echo: (_size, count) =>
      take(socket, count, (message) => socket.send(message)),
  });
  return play({
    async listen(onListen) {
      const server = new WebSocketServer(
        { ...OPTIONS, host: "127.0.0.1", port: 0 },
        () => onListen(server.address().port),
      );
      return makePeer(
        await new Promise((resolve) => server.on("connection", resolve)),
      );
    },
    async connect(port) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, OPTIONS);
      await new Promise((resolve) => socket.on("open", resolve));
      return makePeer(socket);
    },
  });
}
