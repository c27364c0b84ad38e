// Shows a place in a Dockerfile: some lines around, the guilty ones marked, what is wrong in them underlined.

import type { Place } from "../build/build.ts";

const contextLines = 2;
const longestExcerpt = 20;

/** As BuildKit shows it, with line and column where the column is known. */
export function showPlace({ file, line, endLine, exact, source }: Place): string {
  const lines = source
    .replace(/^\uFEFF/, "")
    .replace(/\r?\n$/, "")
    .split(/\r?\n/);
  const at = exact?.start ?? { line, column: undefined };
  const isFar = at.line + contextLines > line - contextLines + longestExcerpt - 1;
  const first = Math.max(1, isFar ? at.line - longestExcerpt / 2 : line - contextLines);
  const last = Math.min(lines.length, Math.max(endLine, at.line) + contextLines, first + longestExcerpt - 1);
  const numberWidth = String(last).length + 2;
  const show = (number: number) => {
    const text = lines[number - 1] ?? "";
    const mark = number >= line && number <= endLine ? ">>>" : "   ";
    const shown = `${String(number).padStart(numberWidth)} | ${mark} ${text}`.trimEnd();
    const carets = number === exact?.start.line ? underline(text, exact, { line, endLine }, lines) : "";
    return carets === "" ? [shown] : [shown, `${" ".repeat(numberWidth)} |     ${carets}`];
  };
  const shown = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => show(first + i)).flat();
  const rule = "-".repeat(20);
  const place = at.column === undefined ? `${file}:${at.line}` : `${file}:${at.line}:${at.column}`;
  return [place, rule, ...shown, rule].join("\n");
}

/** Nothing where it is the whole instruction, which is marked anyway. */
function underline(
  text: string,
  { start, end }: NonNullable<Place["exact"]>,
  { line, endLine }: { line: number; endLine: number },
  lines: readonly string[],
): string {
  const isWhole = start.line === line && text.slice(0, start.column - 1).trim() === "" && end.line === endLine;
  if (isWhole && end.column > (lines[endLine - 1] ?? "").trimEnd().length) return "";
  const guilty = text.slice(start.column - 1, end.line === start.line ? end.column - 1 : undefined).trimEnd();
  if (guilty === "") return end.line === start.line ? `${blank(text.slice(0, start.column - 1))}^` : "";
  return blank(text.slice(0, start.column - 1)) + "^".repeat(Math.max(1, widthOf(guilty)));
}

/** As wide as the text: tabs stay what they are. */
function blank(text: string): string {
  return text
    .split("\t")
    .map((part) => " ".repeat(widthOf(part)))
    .join("\t");
}

const wide = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

/** Columns of a terminal. */
function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += /\p{M}|\u200d/u.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return width;
}
