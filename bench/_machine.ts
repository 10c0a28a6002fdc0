import { cpus, totalmem } from "node:os";

/** The machine in a few words: processor, cores, memory, system. */
export function machine(): string {
  const processors = cpus();
  return [
    `${processors[0]?.model.trim() ?? "unknown processor"}`,
    `${processors.length} cores`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${Deno.build.os} ${Deno.osRelease().split("-")[0]}`,
  ].join(", ");
}
