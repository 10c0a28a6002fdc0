import { PipeStream, type SpawnOptions } from "@sluice/sluice/streams";
import { fromFileUrl } from "@std/path/from-file-url";

const ROOT = new URL("../../", import.meta.url);

/** Bytes that tell their place. */
export function bytes(count: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: count }, (_, i) => i % 251);
}

/** What `promise` rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not reject");
}

/** The command line of a Deno program that may use this package. */
export function denoCommand(code: string): string[] {
  return [
    Deno.execPath(),
    "run",
    "--no-check",
    "--allow-all",
    "--config",
    fromFileUrl(new URL("deno.json", ROOT)),
    `data:application/typescript,${encodeURIComponent(code)}`,
  ];
}

/** A child that runs a Deno program. */
export function spawnDeno(
  code: string,
  options: SpawnOptions = {},
): Promise<PipeStream> {
  return PipeStream.spawn(denoCommand(code), options);
}

/** All that a stream gives until its end. */
export async function readAll(stream: PipeStream): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for (let byte; (byte = await stream.read(1)) !== null;) {
    text += decoder.decode(byte, { stream: true });
  }
  return text;
}

/** Turns of the event loop, so that what can happen without input has happened. */
export async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}
