/**
 * Participant: npm:zeromq, two Pair sockets (the fastest kind here that can
 * answer), `await send()` for each message as its guide has it, and the default
 * high water mark of 1000 messages, than which no other was faster. libzmq turns
 * Nagle off and batches small messages itself.
 */
import { createRequire } from "node:module";
import { play } from "./_role.mjs";

// Not imported, as type checking this repository must not need its packages.
const { Pair } = createRequire(import.meta.url)("zeromq");

const OPTIONS = {
  sendHighWaterMark: 1000,
  receiveHighWaterMark: 1000,
  linger: 0,
};

function makePeer(socket) {
  return {
    async oneWay(payload, count) {
      for (let i = 0; i < count; i++) await socket.send(payload);
      await socket.receive();
    },
    async roundTrip(payload, count) {
      for (let i = 0; i < count; i++) {
        await socket.send(payload);
        await socket.receive();
      }
    },
    async receive(_size, count) {
      let bytes = 0;
      for (let i = 0; i < count; i++) {
        const [message] = await socket.receive();
        bytes += message.length;
      }
      await socket.send("received");
      return { count, bytes };
    },
    async echo(_size, count) {
      let bytes = 0;
      for (let i = 0; i < count; i++) {
        const [message] = await socket.receive();
        bytes += message.length;
        await socket.send(message);
      }
      return { count, bytes };
    },
  };
}

await play({
  async listen(onListen) {
    const socket = new Pair(OPTIONS);
    await socket.bind("tcp://127.0.0.1:*");
    onListen(Number(socket.lastEndpoint.split(":").at(-1)));
    await socket.receive();
    return makePeer(socket);
  },
  async connect(port) {
    const socket = new Pair(OPTIONS);
    socket.connect(`tcp://127.0.0.1:${port}`);
    await socket.send("hello");
    return makePeer(socket);
  },
});
