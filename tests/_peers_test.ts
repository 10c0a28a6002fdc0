import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path/join";

const PEERS = new URL("./_peers.ts", import.meta.url).href;

/** Runs a file with one test whose peer is missing, as a user or as CI does. */
async function runWithoutPeer(
  env: Record<string, string>,
): Promise<{ success: boolean; output: string }> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_peers_" });
  try {
    const file = join(folder, "one_test.ts");
    await Deno.writeTextFile(
      file,
      `import { type Peer, peerTest } from ${JSON.stringify(PEERS)};
const absent: Peer = { package: "absent-peer", find: () => undefined };
peerTest(absent, "It talks to the peer", () => {});
`,
    );
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "--no-config", "--no-check", "--allow-all", file],
      env: { NO_COLOR: "1", SLUICE_REQUIRE_PEERS: "", ...env },
    }).output();
    return { success, output: new TextDecoder().decode(stdout) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("A test whose peer is missing is skipped, and its name says why", async () => {
  const { success, output } = await runWithoutPeer({});
  assertEquals(success, true);
  assertStringIncludes(
    output,
    "It talks to the peer (skipped: install absent-peer) ... ignored",
  );
});

Deno.test("A test whose peer is missing fails where peers are required", async () => {
  const { success, output } = await runWithoutPeer({
    SLUICE_REQUIRE_PEERS: "1",
  });
  assertEquals(success, false);
  assertStringIncludes(output, "missing absent-peer");
});
