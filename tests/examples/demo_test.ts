import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path/from-file-url";
import { Channel, PipeStream } from "@sluice/sluice";
import { demo } from "../../examples/demo.ts";
import { type Announcement, fromJson } from "../../examples/demo/receiver.ts";
import type { Route } from "../../examples/demo/routes.ts";
import { makeWorkload } from "../../examples/demo/workload.ts";
import { rpyc } from "../_peers.ts";

const CHANNELS = ["plain", "compressed", "batched", "encrypted", "all three"];
const TRANSPORTS = Deno.build.os === "windows"
  ? ["TCP", "TLS", "subprocess pipes"]
  : ["TCP", "TLS", "Unix socket", "subprocess pipes"];

/** A row of the table. */
type Row = [
  transport: string,
  channel: string,
  messages: string,
  rate: string,
  wire: string,
  checksum: string,
];

Deno.test("The demo carries files over every transport through every channel, from any folder, and leaves nothing behind", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sluice_demo_" });
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--allow-all",
        fromFileUrl(import.meta.resolve("../../examples/demo.ts")),
        "--size",
        "0.25",
      ],
      cwd: folder,
      env: { TMPDIR: folder, TEMP: folder, TMP: folder, NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertEquals(code, 0, text + new TextDecoder().decode(stderr));

    const sha256 = /^SHA-256 ([0-9a-f]{64})$/m.exec(text)?.[1];
    assert(sha256, text);
    const rows = text.split("\n")
      .map((line) => line.split(/ {2,}/))
      .filter((cells): cells is Row =>
        cells.length === 6 && /\d/.test(cells[2]!)
      );
    const expected = TRANSPORTS.flatMap((transport) =>
      CHANNELS.map((channel) => [transport, channel])
    );
    if (rpyc.find()) {
      for (const channel of CHANNELS.slice(0, 3)) {
        expected.push(["TCP to RPyC", channel]);
      }
    }
    assertEquals(rows.map((cells) => cells.slice(0, 2)), expected);
    const bytesOf = new Map<string, number>();
    for (const [transport, channel, messages, , wire, checksum] of rows) {
      assert(Number(messages.replaceAll(",", "")) > 0, messages);
      assertEquals(checksum, `${sha256.slice(0, 16)} ok`);
      bytesOf.set(`${transport} ${channel}`, parseBytes(wire));
    }
    for (const transport of TRANSPORTS) {
      const plain = bytesOf.get(`${transport} plain`)!;
      assert(bytesOf.get(`${transport} compressed`)! < plain * 0.75);
      assert(bytesOf.get(`${transport} encrypted`)! >= plain);
    }
    assertStringIncludes(text, `${expected.length} transfers in `);
    assertEquals([...Deno.readDirSync(folder)], []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("The demo's exit code is 1 when the far side computes another checksum", async () => {
  const receivers: Promise<void>[] = [];
  const route: Route = {
    name: "memory",
    encrypts: false,
    open() {
      const [near, far] = PipeStream.createPair();
      receivers.push(answerWrongly(far));
      return Promise.resolve(near);
    },
  };
  const log = console.log;
  const lines: string[] = [];
  console.log = (line: string) => lines.push(line);
  try {
    const key = new Uint8Array(32);
    assertEquals(await demo(await makeWorkload(20_000), [route], key), 1);
  } finally {
    console.log = log;
  }
  await Promise.all(receivers);
  const text = lines.join("\n");
  assertStringIncludes(text, "3 damaged");
  assertStringIncludes(text, "WRONG");
});

async function answerWrongly(stream: PipeStream): Promise<void> {
  await using channel = new Channel(stream);
  await channel.send(new Uint8Array());
  const { messages } = fromJson<Announcement>(await channel.recv());
  for (let i = 0; i < messages; i++) await channel.recv();
  const sha256 = "0".repeat(64);
  await channel.send(new TextEncoder().encode(JSON.stringify({ sha256 })));
}

function parseBytes(text: string): number {
  const [number, unit] = text.split(" ");
  return Number(number) * { B: 1, kB: 1e3, MB: 1e6 }[unit!]!;
}
