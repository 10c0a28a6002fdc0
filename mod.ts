/**
 * Whole messages between processes, over any byte stream.
 *
 * @example
 * ```ts
 * import { connect, serve } from "@sluice/sluice";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = serve({ port: 0 }, async (channel) => {
 *   for await (const message of channel) await channel.send(message);
 * });
 *
 * await using channel = await connect({ port: server.addr.port });
 * await channel.send(new TextEncoder().encode("hello"));
 * const echo = await channel.recv();
 * assertEquals(new TextDecoder().decode(echo!), "hello");
 * ```
 *
 * @module
 */

export * from "./channels/mod.ts";
export * from "./errors.ts";
export * from "./factories/mod.ts";
export * from "./streams/mod.ts";
