// The end of a report: a table of the image's layers, how much was moved, what was written.

import { formatSeconds, formatSize } from "./quantity.ts";
import type { ResultSummary } from "./report.ts";

const widestCommand = 80;

/** One row per layer, the base's first, with size, time and creating command; then digests and names. */
export function describeResult(result: ResultSummary): string[] {
  const rows = result.layers.map((layer) => [
    formatSize(layer.size),
    layer.seconds === undefined ? (layer.inherited ? "base" : "-") : formatSeconds(layer.seconds),
    shorten(layer.createdBy),
  ]);
  const table = alignColumns([["SIZE", "TIME", "CREATED BY"], ...rows]);
  const total = result.layers.reduce((sum, layer) => sum + layer.size, 0);
  return [
    `Image of ${result.layers.length} ${result.layers.length === 1 ? "layer" : "layers"}, ${formatSize(total)} compressed:`,
    ...table.map((row) => `  ${row}`),
    `  digest ${result.digest}`,
    `  config ${result.configDigest}`,
    ...result.written.map((name) => `  wrote  ${name}`),
  ];
}

function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const widths = [width(0), width(1)];
  return rows.map(
    ([size = "", time = "", command = ""]) => `${size.padStart(widths[0] ?? 0)}  ${time.padStart(widths[1] ?? 0)}  ${command}`,
  );
}

function shorten(command: string): string {
  const line = command.replace(/\s+/g, " ").trim();
  return line.length > widestCommand ? `${line.slice(0, widestCommand - 3)}...` : line;
}
