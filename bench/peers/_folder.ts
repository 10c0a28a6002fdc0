import { certificates } from "../../tests/_certificates.ts";
import { jsonText } from "../_json_text.ts";

/**
 * Makes a temporary folder with what the participants share: the payloads
 * (`64.json` and so on), certificates for TLS and a key for the encrypted ones.
 */
export async function makeFolder(sizes: readonly number[]): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_peers_" });
  for (const size of sizes) {
    await Deno.writeFile(`${folder}/${size}.json`, jsonText(size));
  }
  await Deno.writeFile(
    `${folder}/key`,
    crypto.getRandomValues(new Uint8Array(32)),
  );
  const { ca, server } = await certificates();
  await Deno.writeTextFile(`${folder}/ca.pem`, ca);
  await Deno.writeTextFile(`${folder}/cert.pem`, server.cert);
  await Deno.writeTextFile(`${folder}/key.pem`, server.key);
  return folder;
}
