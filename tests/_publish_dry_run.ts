/**
 * `deno publish --dry-run`, without a network, and a check that what would go
 * out is the library and nothing else.
 *
 * It runs on a copy. `links` in deno.json points at packages in `tests/`, which
 * are not published, and publishing refuses a package that depends on modules
 * inside its own folder which it leaves out. In the copy they lie beside the
 * package, as a registry's would.
 *
 * @module
 */

import { cp } from "node:fs/promises";
import { basename } from "@std/path/basename";
import { fromFileUrl } from "@std/path/from-file-url";
import { join } from "@std/path/join";
import { relative } from "@std/path/relative";

const ROOT = fromFileUrl(new URL("..", import.meta.url));
const LINKS = join(ROOT, "tests", "_std");

/** What is published beside the modules. */
const DOCUMENTS = ["LICENSE", "PROTOCOL.md", "README.md", "deno.json"];
/** Folders of which each module is part of the library. */
const FOLDERS = ["channels", "cli", "factories", "streams"];

const folder = await Deno.makeTempDir({ prefix: "sluice_publish_" });
try {
  const copy = join(folder, "package");
  await copyPackage(copy);
  const published = await dryRun(copy);
  const expected = new Set([
    ...DOCUMENTS,
    ...await entryPoints(),
    ...await modulesOf(FOLDERS),
  ]);
  const surplus = published.filter((file) => !expected.has(file));
  const missing = [...expected].filter((file) => !published.includes(file));
  for (const file of surplus) console.error(`Would be published: ${file}`);
  for (const file of missing) console.error(`Would be left out: ${file}`);
  if (surplus.length > 0 || missing.length > 0) {
    console.error("Cannot publish as the files are not exactly the library");
    Deno.exitCode = 1;
  } else {
    console.log(`Would publish ${published.length} files, the library alone`);
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** Copies the repository, with the linked packages beside it. */
async function copyPackage(target: string): Promise<void> {
  await cp(ROOT, target, {
    recursive: true,
    filter: (path) =>
      path !== LINKS && !/^(\.git|node_modules)$/.test(basename(path)),
  });
  await cp(LINKS, join(target, "..", "std"), { recursive: true });
  const file = join(target, "deno.json");
  const config = JSON.parse(await Deno.readTextFile(file));
  await Deno.writeTextFile(
    file,
    JSON.stringify({ ...config, links: ["../std/*"] }),
  );
}

/** The files that would go out, relative to the package. */
async function dryRun(cwd: string): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty"],
    cwd,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const output = decoder.decode(stdout) + decoder.decode(stderr);
  if (!success) throw new Error(`Cannot publish:\n${output}`);
  const urls = output.matchAll(/^ +(file:\/\/\S+) \(/gm);
  const root = await Deno.realPath(cwd);
  return Array.from(
    urls,
    ([, url]) => relative(root, fromFileUrl(url!)).replaceAll("\\", "/"),
  );
}

/** The modules that deno.json exports. */
async function entryPoints(): Promise<string[]> {
  const { exports } = JSON.parse(
    await Deno.readTextFile(join(ROOT, "deno.json")),
  );
  return Object.values<string>(exports).map((path) => path.replace("./", ""));
}

async function modulesOf(folders: string[]): Promise<string[]> {
  const files: string[] = [];
  for (const folder of folders) {
    for await (const entry of Deno.readDir(join(ROOT, folder))) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) files.push(...await modulesOf([path]));
      else if (entry.name.endsWith(".ts")) files.push(path);
    }
  }
  return files;
}
