/**
 * An SSH server of a test's own, with keys that are thrown away. It listens
 * nowhere: `ssh` starts it as its `ProxyCommand` and talks over its pipes.
 *
 * @module
 */

import { join } from "@std/path/join";
import type { SshTunnel } from "@sluice/sluice";
import { commandOf, prepareSshd, ssh, sshd } from "../_peers.ts";

/** How to reach this machine through such a server; disposal removes the keys. */
export interface TestSsh extends AsyncDisposable {
  /** For `via: { ssh }`. */
  readonly tunnel: SshTunnel;
}

/** Makes the keys and the configuration of a server. */
export async function testSsh(): Promise<TestSsh> {
  await prepareSshd();
  const folder = await Deno.makeTempDir({ prefix: "sluice_ssh_" });
  const file = (name: string) => join(folder, name);
  const write = (name: string, lines: string[]) =>
    Deno.writeTextFile(file(name), lines.join("\n") + "\n", { mode: 0o600 });
  for (const name of ["host", "user"]) {
    const { success } = await new Deno.Command("ssh-keygen", {
      args: ["-q", "-t", "ed25519", "-N", "", "-f", file(name)],
    }).output();
    if (!success) throw new Error("Cannot make a key for ssh");
  }
  const hostKey = await Deno.readTextFile(file("host.pub"));
  await write("known_hosts", [`sluice-test ${hostKey.trim()}`]);
  await write("sshd_config", [
    `HostKey ${file("host")}`,
    `AuthorizedKeysFile ${file("user.pub")}`,
    // The folder of a test is below one that all may write to.
    "StrictModes no",
    "UsePAM no",
    "PasswordAuthentication no",
  ]);
  return {
    tunnel: {
      host: "sluice-test",
      program: commandOf(ssh),
      identityFile: file("user"),
      configFile: "none",
      options: {
        ProxyCommand: `${commandOf(sshd)} -i -f ${file("sshd_config")}`,
        UserKnownHostsFile: file("known_hosts"),
      },
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
