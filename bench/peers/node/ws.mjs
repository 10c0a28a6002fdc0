/**
 * Participant: npm:ws through its documented interface: `send()` for each
 * message, and the callback of one in many as back-pressure.
 */
import { playWebSocket } from "./_ws.mjs";

/** Bytes between two waits, the fastest of 16 KiB to 1 MiB here. */
const WINDOW = 256 * 1024;

await playWebSocket(async (socket, payload, count) => {
  const window = Math.max(1, Math.floor(WINDOW / payload.length));
  for (let left = count; left > 0; left -= window) {
    for (let i = Math.min(window, left); i > 1; i--) socket.send(payload);
    await new Promise((resolve) => socket.send(payload, resolve));
  }
});
