import { assert, assertGreater, assertRejects } from "@std/assert";
import { retry } from "@std/async/retry";
import { equals } from "@std/bytes/equals";
import { parseArgs } from "@std/cli/parse-args";
import { timingSafeEqual } from "@std/crypto/timing-safe-equal";
import { encodeHex } from "@std/encoding/hex";
import { format } from "@std/fmt/bytes";
import { join } from "@std/path/join";
import { toBytes } from "@std/streams/to-bytes";

const FOLDER = new URL("./_std/", import.meta.url);

Deno.test("Each module that stands in for one of std loads, with all that it names", async () => {
  let modules = 0;
  for await (const { name } of Deno.readDir(FOLDER)) {
    const base = new URL(`./${name}/`, FOLDER);
    const { exports } = JSON.parse(
      await Deno.readTextFile(new URL("./deno.json", base)),
    );
    for (const path of Object.values<string>(exports)) {
      const module = await import(new URL(path, base).href);
      const values = Object.values(module);
      assertGreater(values.length, 0, path);
      assert(values.every((value) => value !== undefined), path);
      modules++;
    }
  }
  assertGreater(modules, 70);
});

// The mirror on npm has no types. If one of the declarations beside the
// stand-ins were lost, all would be `any`, nothing below would be an error, and
// `deno check` would say so.
export async function misuse(): Promise<void> {
  // @ts-expect-error Text is no array of bytes
  equals("a", "b");
  // @ts-expect-error A number is no function
  await retry(1);
  // @ts-expect-error The options are known
  format(1, { unknown: true });
  // @ts-expect-error Text is no byte
  encodeHex([1]);
  // @ts-expect-error A path is text
  join(1);
  // @ts-expect-error A stream of bytes is wanted
  await toBytes(new Uint8Array());
  // @ts-expect-error Text is no array of bytes
  timingSafeEqual("a", "b");
  // @ts-expect-error An option may be missing
  parseArgs([], { string: ["port"] }).port.length;
  // @ts-expect-error The error is of the class that was asked for
  (await assertRejects(() => Promise.reject(), TypeError)).received;
}
