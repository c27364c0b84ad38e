// Markdown tables whose columns line up.

export interface Column {
  readonly title: string;
  /** Aligned to the left. */
  readonly isText?: boolean;
}

export function showMarkdown(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, column) => Math.max(3, title.length, ...rows.map((cells) => (cells[column] ?? "").length)));
  const isText = (column: number) => columns[column]?.isText === true;
  const pad = (cell: string, column: number) => (isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0));
  const rule = widths.map((width, column) => (isText(column) ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  const lines = [columns.map(({ title }, column) => pad(title, column)), rule, ...rows.map((cells) => cells.map(pad))];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
