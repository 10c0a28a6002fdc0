/**
 * For `--preload`: the program tells on standard error when it has received the
 * end of a peer, and a deadline that starts then is 100 times as long, so that what
 * a test does next is in time on a busy machine too.
 *
 * @module
 */

import { Channel } from "@sluice/sluice";

/** What it tells. */
const TOLD = new TextEncoder().encode("the peer has ended\n");
const FACTOR = 100;

const { recv } = Channel.prototype;
const { timeout } = AbortSignal;

Channel.prototype.recv = async function (options) {
  const message = await recv.call(this, options);
  if (message === null) {
    AbortSignal.timeout = (time) => timeout.call(AbortSignal, FACTOR * time);
    Deno.stderr.writeSync(TOLD);
  }
  return message;
};
