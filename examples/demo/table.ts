import { format } from "@std/fmt/bytes";

/** One transfer, measured. */
export interface Result {
  /** What the bytes went through. */
  readonly transport: string;
  /** What made bytes of the messages. */
  readonly channel: string;
  /** How many messages. */
  readonly messages: number;
  /** Their length in all, in bytes. */
  readonly size: number;
  /** From the first message to the far side's answer. */
  readonly seconds: number;
  /** What was handed to the transport, in bytes. */
  readonly wire: number;
  /** The checksum that the far side computed. */
  readonly sha256: string;
  /** Whether that is the right one. */
  readonly intact: boolean;
}

const HEAD = [
  "transport",
  "channel",
  "messages/s",
  "MB/s",
  "on the wire",
  "SHA-256 of the far side",
];

/** A table of all results. */
export function table(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.transport,
    result.channel,
    Math.round(result.messages / result.seconds).toLocaleString("en-US"),
    Math.round(result.size / result.seconds / 1e6).toLocaleString("en-US"),
    format(result.wire, {
      minimumFractionDigits: 1,
      maximumFractionDigits: 1,
    }),
    `${result.sha256.slice(0, 16)} ${result.intact ? "ok" : "WRONG"}`,
  ]);
  const widths = HEAD.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]!.length))
  );
  const line = (cells: string[]): string =>
    cells.map((cell, column) =>
      column >= 2 && column <= 4
        ? cell.padStart(widths[column]!)
        : cell.padEnd(widths[column]!)
    ).join("  ").trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return [line(HEAD), rule, ...rows.map(line)].join("\n");
}
