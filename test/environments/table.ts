// The results as Markdown: environment × sandbox × what came of it × milliseconds.

import { showMarkdown } from "../bench/markdown.ts";
import { findDifferences, findKnownFailures } from "./compare.ts";
import { expectedSteps } from "./expected.ts";
import type { Cell } from "./try-cell.ts";

/** `lacking` are rungs that the reference has and this has not yet. */
export function showTable(cells: readonly Cell[], lacking: readonly string[]): string {
  const rungs = [...new Set(cells.map(({ rung }) => rung)), ...lacking];
  const rows = [...Map.groupBy(cells, ({ environment }) => environment)].map(([environment, list]) => [
    environment,
    ...rungs.map((rung) =>
      showCell(
        environment,
        rung,
        list.find((cell) => cell.rung === rung),
      ),
    ),
  ]);
  const columns = ["environment", ...rungs].map((title) => ({ title, isText: true }));
  return showMarkdown(columns, rows);
}

/** `all 31, 14 ms`; `27 of 31, 12 ms`; `no`; in the reference's favour `(!)`. */
function showCell(environment: string, rung: string, cell: Cell | undefined): string {
  if (cell === undefined) return expectedSteps(environment, rung) === undefined ? "" : "not yet";
  const mark = findDifferences(cell).length > 0 ? " (!)" : "";
  if (cell.refused !== undefined) return `no${mark}`;
  const all = cell.passed.length + cell.failed.size;
  const time = cell.runMs === undefined ? "" : `, ${cell.runMs.toFixed(0)} ms`;
  return `${cell.failed.size === 0 ? `all ${all}` : `${cell.passed.length} of ${all}`}${time}${mark}`;
}

/** What fails in a sandbox, in one line for all environments in which it is the same. */
export function showFailures(cells: readonly Cell[]): string {
  const lines = cells
    .filter(({ failed }) => failed.size > 0)
    .map((cell) => ({ ...cell, text: `${cell.rung} lacks ${findKnownFailures(cell).join(", ")}` }));
  return [...Map.groupBy(lines, ({ text }) => text)]
    .map(([text, list]) => `- ${text} (${list.map(({ environment }) => environment).join(", ")})`)
    .join("\n");
}
