import { assertEquals, assertGreater } from "@std/assert";
import { fromFileUrl } from "@std/path/from-file-url";
import { dirname } from "@std/path/dirname";
import { join } from "@std/path/join";
import { relative } from "@std/path/relative";

const ROOT = fromFileUrl(new URL("..", import.meta.url));

/** Every import and re-export of a file, as written. */
const SPECIFIER =
  /^(?:import|export)\b[^;]*?\bfrom\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm;

/** What each layer may build on; its own folder is always allowed. */
const LAYERS: Record<string, readonly string[]> = {
  "errors.ts": [],
  "streams": ["errors.ts"],
  "channels": ["errors.ts", "streams"],
  "factories": ["errors.ts", "streams", "channels"],
  "mod.ts": ["errors.ts", "streams", "channels", "factories"],
  "cli": ["errors.ts", "streams", "channels", "factories"],
  "cli.ts": ["cli"],
};

interface Source {
  /** Relative to the repository, with slashes. */
  path: string;
  /** The first part of the path. */
  layer: string;
  /** The text without comments. */
  code: string;
}

function layerOf(path: string): string {
  return path.split("/")[0]!;
}

async function librarySources(): Promise<Source[]> {
  const sources: Source[] = [];
  const visit = async (path: string): Promise<void> => {
    const info = await Deno.stat(join(ROOT, path)).catch(() => undefined);
    if (info?.isDirectory) {
      for await (const { name } of Deno.readDir(join(ROOT, path))) {
        await visit(`${path}/${name}`);
      }
    } else if (info?.isFile && path.endsWith(".ts")) {
      const text = await Deno.readTextFile(join(ROOT, path));
      const code = text.replace(/\/\*[\s\S]*?\*\//g, "")
        .replace(/^\s*\/\/.*$/gm, "");
      sources.push({ path, layer: layerOf(path), code });
    }
  };
  for (const layer of Object.keys(LAYERS)) await visit(layer);
  assertGreater(sources.length, 2);
  return sources;
}

function specifiersOf({ code }: Source): string[] {
  return Array.from(code.matchAll(SPECIFIER), (m) => (m[1] ?? m[2] ?? m[3])!);
}

Deno.test("Library source names its dependencies in full, so that a URL import needs no map", async () => {
  const allowed =
    /^(\.{1,2}\/.*\.ts|node:[a-z0-9/_]+|jsr:@std\/[a-z]+@\^\d+\.\d+\.\d+\/[a-z0-9-]+)$/;
  const wrong: string[] = [];
  for (const source of await librarySources()) {
    for (const specifier of specifiersOf(source)) {
      if (!allowed.test(specifier)) wrong.push(`${source.path}: ${specifier}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("Dependencies point one way, from factories to channels to streams to errors", async () => {
  const wrong: string[] = [];
  for (const source of await librarySources()) {
    for (const specifier of specifiersOf(source)) {
      if (!specifier.startsWith(".")) continue;
      const target = relative(
        ROOT,
        join(ROOT, dirname(source.path), specifier),
      ).replaceAll("\\", "/");
      const layer = layerOf(target);
      if (layer !== source.layer && !LAYERS[source.layer]!.includes(layer)) {
        wrong.push(`${source.path}: ${specifier}`);
      }
    }
  }
  assertEquals(wrong, []);
});

Deno.test("Channels and errors name no Deno API, so that they run elsewhere too", async () => {
  const sources = (await librarySources())
    .filter(({ layer }) => layer === "channels" || layer === "errors.ts");
  assertEquals(
    sources.filter(({ code }) => /\bDeno\b/.test(code))
      .map(({ path }) => path),
    [],
  );
});

Deno.test("Library source, tests and deno.json agree on the versions of std", async () => {
  const { imports } = JSON.parse(
    await Deno.readTextFile(join(ROOT, "deno.json")),
  );
  const inMap: string[] = Object.values(imports);
  const wrong: string[] = [];
  for (const source of await librarySources()) {
    for (const specifier of specifiersOf(source)) {
      const base = specifier.match(/^jsr:@std\/[^/]+/)?.[0];
      if (base !== undefined && !inMap.includes(base)) {
        wrong.push(`${source.path}: ${specifier}`);
      }
    }
  }
  assertEquals(wrong, []);
});
