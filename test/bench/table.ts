// The benchmark's results as a Markdown table: medians of times, maxima of memory.

import type { Measures } from "./measure.ts";
import type { Transferred } from "./transfer.ts";

export interface Row {
  readonly input: string;
  readonly builder: string;
  readonly results: readonly (Pick<Measures, "wallMs" | "cpuMs" | "mainPeakBytes" | "ownPeakBytes" | "treePeakBytes"> & Transferred)[];
}

/** Three digits that mean something; 0 is nothing at all. */
const mebibytes = (bytes: number): string =>
  bytes === 0 ? "0" : (bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 3 : bytes < 100 * 2 ** 20 ? 1 : 0);
const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(2);

export function showTable(rows: readonly Row[]): string {
  const head = [
    "input",
    "builder",
    "wall, s",
    "CPU, s",
    "main process, MiB",
    "with helpers, MiB",
    "with steps, MiB",
    "down, MiB",
    "up, MiB",
  ];
  const body = rows.map(({ input, builder, results }) => {
    const middle = (pick: (result: Row["results"][number]) => number) => findMedian(results.map(pick));
    const most = (pick: (result: Row["results"][number]) => number) => Math.max(...results.map(pick));
    return [
      input,
      builder,
      seconds(middle(({ wallMs }) => wallMs)),
      seconds(middle(({ cpuMs }) => cpuMs)),
      mebibytes(most(({ mainPeakBytes }) => mainPeakBytes)),
      mebibytes(most(({ ownPeakBytes }) => ownPeakBytes)),
      mebibytes(most(({ treePeakBytes }) => treePeakBytes)),
      mebibytes(middle(({ downloaded }) => downloaded)),
      mebibytes(middle(({ uploaded }) => uploaded)),
    ];
  });
  const widths = head.map((title, column) => Math.max(title.length, ...body.map((cells) => (cells[column] ?? "").length)));
  const pad = (cell: string, column: number) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0));
  const rule = widths.map((width, column) => (column < 2 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [head.map(pad), rule, ...body.map((cells) => cells.map(pad))].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

export function findMedian(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
