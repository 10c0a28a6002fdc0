import { delay } from "jsr:@std/async@^1.5.0/delay";
import { Fifo } from "../streams/_fifo.ts";
import type { Channel } from "../channels/channel.ts";
import { StreamClosedError } from "../errors.ts";
import { assertInteger, assertTime } from "../streams/_assert.ts";
import { withdrawable } from "../streams/_withdrawable.ts";
import type { SignalOptions } from "../streams/byte_stream.ts";
import { Lease } from "./_lease.ts";
import { PooledChannel, type PooledChannelLimits } from "./_pooled_channel.ts";
import type { ChannelLease } from "./channel_lease.ts";

/** The default of {@linkcode ChannelPoolOptions.size}. */
export const DEFAULT_POOL_SIZE = 10;

/** A channel that was idle for longer is given a turn to notice its end, in milliseconds. */
const TRUST_TIME = 50;

/** Options of a {@linkcode ChannelPool}. */
export interface ChannelPoolOptions {
  /**
   * Makes a channel, such as `(signal) => connect({ port, signal })`. When its
   * signal aborts, nobody waits for it any more and it shall give up.
   */
  connect: (signal: AbortSignal) => Promise<Channel>;
  /** At most this many channels at a time, 10 by default. */
  size?: number;
  /** Closes a channel that nobody has used for so long, in milliseconds; 0, the default, is never. */
  idleTimeout?: number;
  /**
   * Closes a channel that is so old, once it is idle, in milliseconds; 0, the
   * default, is never. With it, connections move to servers that were added.
   */
  maxAge?: number;
}

/** What a {@linkcode ChannelPool} holds; a snapshot. */
export interface ChannelPoolStats {
  /** Channels that can be had at once. */
  readonly idle: number;
  /** Channels in use. */
  readonly leased: number;
  /** Channels being made. */
  readonly connecting: number;
  /** Calls of `acquire()` that wait. */
  readonly waiting: number;
}

/**
 * Channels to one server that are used again and again, by one task at a time.
 *
 * - There are never more than `size`: a channel has its place from the first
 *   step of its connect until it is closed.
 * - Whoever waits is served first come, first served. The channel used last is
 *   taken first, so that those not needed reach `idleTimeout`.
 * - A channel that is broken, closed or undrained is not used again. An idle one
 *   is watched: when its peer ends it, or sends anything, it is dropped.
 * - A `connect` that fails rejects the longest waiting `acquire()` with its error,
 *   and costs no place. There are no retries: give `connect` its `attempts`.
 * - A reply that is still to come when a channel is released would be the next
 *   user's: receive it, or `abort()` the channel.
 * - A peer can still go away just after a channel was handed out: what uses it
 *   must expect a `ConnectionLostError`.
 *
 * @example
 * ```ts
 * import { ChannelPool, connect, serve } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = serve({ port: 0 }, async (channel) => {
 *   for await (const message of channel) await channel.send(message);
 * });
 * await using pool = new ChannelPool({
 *   connect: (signal) => connect({ port: server.addr.port, signal }),
 *   size: 3,
 * });
 *
 * async function ask(question: Uint8Array): Promise<Uint8Array | null> {
 *   await using lease = await pool.acquire();
 *   await lease.channel.send(question);
 *   return await lease.channel.recv();
 * }
 *
 * const questions = Array.from({ length: 10 }, (_, i) => new Uint8Array([i]));
 * assertEquals(await Promise.all(questions.map(ask)), questions);
 * assertEquals(pool.stats.idle, 3);
 * ```
 */
export class ChannelPool implements AsyncDisposable {
  readonly #connect: (signal: AbortSignal) => Promise<Channel>;
  readonly #size: number;
  readonly #limits: PooledChannelLimits;
  readonly #waiters = new Fifo<PromiseWithResolvers<ChannelLease>>();
  readonly #idle: PooledChannel[] = [];
  readonly #connecting = new Set<AbortController>();
  /** What `close()` waits for: connects that were told to give up, and closing channels. */
  readonly #ending = new Set<Promise<void>>();
  #leased = 0;
  /** How many channels there are, in whatever state. */
  #places = 0;
  /** Whether idle channels have a turn to notice their end. */
  #looking = false;
  #closing: Promise<void> | undefined;

  /**
   * Makes an empty pool.
   *
   * @param options How to connect, and the limits.
   * @throws {RangeError} if `size` is no integer from 1, or a time is out of its
   * range.
   */
  constructor(options: ChannelPoolOptions) {
    const { connect, size = DEFAULT_POOL_SIZE } = options;
    const { idleTimeout = 0, maxAge = 0 } = options;
    assertInteger("size", size, 1);
    assertTime("idleTimeout", idleTimeout);
    assertTime("maxAge", maxAge);
    this.#connect = connect;
    this.#size = size;
    this.#limits = { idleTimeout, maxAge };
  }

  /** What the pool holds. */
  get stats(): ChannelPoolStats {
    return {
      idle: this.#idle.length,
      leased: this.#leased,
      connecting: this.#connecting.size,
      waiting: this.#waiters.size,
    };
  }

  /**
   * Gives the use of a channel: an idle one, a new one, or, with `size` of them in
   * use, the next that is released.
   *
   * @param options A signal to give the wait up with; the connect that was begun
   * for it gives up too.
   * @throws {StreamClosedError} if the pool is closed.
   * @throws What `connect` rejects with.
   */
  async acquire({ signal }: SignalOptions = {}): Promise<ChannelLease> {
    signal?.throwIfAborted();
    if (this.#closing) throw poolClosed();
    const waiter = Promise.withResolvers<ChannelLease>();
    this.#waiters.push(waiter);
    this.#serveWaiters();
    if (!signal) return await waiter.promise;
    return await withdrawable(waiter, signal, () => {
      this.#waiters.remove(waiter);
      this.#stopConnecting(this.#waiters.size);
    });
  }

  /**
   * Closes the idle channels, gives up connecting, and rejects whoever waits with
   * a `StreamClosedError`. A channel in use is closed when it is released, which
   * this does not wait for. It is idempotent and never rejects.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** The same as {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    for (const { reject } of this.#waiters.clear()) reject(poolClosed());
    this.#stopConnecting(0);
    for (const pooled of this.#idle.splice(0)) {
      pooled.wake();
      this.#discard(pooled);
    }
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  /**
   * Gives each waiter a channel, as far as there are channels and places.
   *
   * A process that was busy or asleep has not looked at its sockets since. That
   * takes a millisecond, which a channel in frequent use does not pay.
   */
  #serveWaiters(): void {
    if (this.#looking) return;
    const wanted = Math.min(this.#waiters.size, this.#idle.length);
    const oldest = wanted > 0 ? this.#idle.at(-wanted) : undefined;
    if (oldest === undefined || oldest.idleTime <= TRUST_TIME) {
      return this.#serveNow();
    }
    this.#looking = true;
    this.#track(
      delay(0).then(() => {
        this.#looking = false;
        this.#serveNow();
      }),
    );
  }

  /** The same, of channels that have had their turn. */
  #serveNow(): void {
    while (this.#waiters.size > 0) {
      const pooled = this.#idle.pop();
      if (!pooled) break;
      pooled.wake();
      this.#lease(pooled);
    }
    while (
      this.#connecting.size < this.#waiters.size && this.#places < this.#size
    ) {
      this.#track(this.#open());
    }
  }

  /** Makes a channel, for whoever then waits longest. */
  async #open(): Promise<void> {
    const giveUp = new AbortController();
    this.#connecting.add(giveUp);
    this.#places++;
    try {
      const channel = await this.#connect(giveUp.signal);
      this.#connecting.delete(giveUp);
      this.#add(new PooledChannel(channel, this.#limits));
    } catch (error) {
      this.#places--;
      // One that was told to give up has failed nobody.
      const wanted = this.#connecting.delete(giveUp);
      if (wanted) this.#waiters.shift()?.reject(error);
    }
    this.#serveWaiters();
  }

  /** Takes in a channel that is as good as new. */
  #add(pooled: PooledChannel): void {
    if (this.#closing) return void this.#discard(pooled);
    if (this.#waiters.size > 0) return this.#lease(pooled);
    this.#idle.push(pooled);
    pooled.rest(() => {
      pooled.wake();
      this.#idle.splice(this.#idle.indexOf(pooled), 1);
      this.#discard(pooled);
    });
  }

  #lease(pooled: PooledChannel): void {
    this.#leased++;
    const release = () => this.#takeBack(pooled);
    this.#waiters.shift()!.resolve(new Lease(pooled.channel, release));
  }

  async #takeBack(pooled: PooledChannel): Promise<void> {
    const reusable = !this.#closing && await pooled.isReusable();
    this.#leased--;
    if (reusable) this.#add(pooled);
    else await this.#discard(pooled);
  }

  /** Closes a channel; its place is free when that is done. */
  #discard({ channel }: PooledChannel): Promise<void> {
    return this.#track((async () => {
      await channel.close();
      this.#places--;
      this.#serveWaiters();
    })());
  }

  /** Tells the connects that were begun last to give up, all but `wanted`. */
  #stopConnecting(wanted: number): void {
    for (const giveUp of [...this.#connecting].slice(wanted)) {
      this.#connecting.delete(giveUp);
      giveUp.abort(new StreamClosedError("Nobody waits for the channel"));
    }
  }

  #track(ending: Promise<void>): Promise<void> {
    this.#ending.add(ending);
    return ending.finally(() => this.#ending.delete(ending));
  }
}

function poolClosed(): StreamClosedError {
  return new StreamClosedError(
    "Cannot acquire a channel as the pool was closed",
  );
}
