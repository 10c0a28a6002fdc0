/**
 * A custom stream: the client shows a token, and the server answers `AUTH_OK`
 * before either side may use the stream. A channel takes any pair of `readable`
 * and `writable`, so that this is all there is to write.
 *
 * ```sh
 * deno run --allow-net examples/token_stream.ts
 * ```
 *
 * Whoever sees the bytes sees the token: across a network put it over
 * `createSslStream`. Outside this repository, import from `jsr:@sluice/sluice`.
 *
 * @module
 */
import { timingSafeEqual } from "@std/crypto/timing-safe-equal";
import {
  type ByteStream,
  type ByteStreamPair,
  Channel,
  createSocketStream,
  listen,
} from "@sluice/sluice";

const AUTH_OK = "AUTH_OK";
/** How long the other side may take, in milliseconds. */
const TIMEOUT = 5000;

/** A byte stream behind a token. */
export class TokenStream implements ByteStreamPair {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;

  private constructor({ readable, writable }: ByteStreamPair) {
    this.readable = readable;
    this.writable = writable;
  }

  /** The client's side: shows `token`. If it is refused, `stream` is closed. */
  static async open(stream: ByteStream, token: string): Promise<TokenStream> {
    const signal = AbortSignal.timeout(TIMEOUT);
    try {
      const shown = new TextEncoder().encode(token);
      await stream.write(new Uint8Array([shown.length]), { signal });
      await stream.write(shown, { signal });
      const answer = await stream.read(AUTH_OK.length, { signal });
      if (answer === null || new TextDecoder().decode(answer) !== AUTH_OK) {
        throw new Error("Authentication failed");
      }
      return new TokenStream(stream);
    } catch (error) {
      await stream.close();
      throw error;
    }
  }

  /** The server's side: wants to see `token`. If it does not, `stream` is closed. */
  static async accept(stream: ByteStream, token: string): Promise<TokenStream> {
    const signal = AbortSignal.timeout(TIMEOUT);
    try {
      const length = (await stream.read(1, { signal }))?.[0] ?? 0;
      const shown = await stream.read(length, { signal });
      const expected = new TextEncoder().encode(token);
      // In the same time wherever it differs, so that it cannot be felt out.
      if (
        shown?.length !== expected.length || !timingSafeEqual(shown, expected)
      ) {
        throw new Error("Authentication failed");
      }
      await stream.write(new TextEncoder().encode(AUTH_OK), { signal });
      return new TokenStream(stream);
    } catch (error) {
      await stream.close();
      throw error;
    }
  }
}

if (import.meta.main) {
  using listener = listen({ port: 0 });
  const serveTwice = async (): Promise<void> => {
    for (let i = 0; i < 2; i++) {
      try {
        const stream = await listener.accept();
        await using channel = new Channel(
          await TokenStream.accept(stream, "secret token"),
        );
        for await (const message of channel) await channel.send(message);
      } catch (error) {
        console.log(`Server: ${(error as Error).message}`);
      }
    }
  };
  const serving = serveTwice();
  for (const token of ["secret token", "a guess"]) {
    try {
      const stream = await createSocketStream("127.0.0.1", listener.addr.port);
      await using channel = new Channel(await TokenStream.open(stream, token));
      await channel.send(new TextEncoder().encode("Hello"));
      console.log(new TextDecoder().decode(await channel.recv() ?? undefined));
    } catch (error) {
      console.log(`Client: ${(error as Error).message}`);
    }
  }
  await serving;
}
