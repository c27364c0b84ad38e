// Physical lines joined into a logical one, and where each part of it comes from.

import type { Position } from "./error.ts";
import type { Escape } from "./expand.ts";
import { trimStart } from "./space.ts";

export interface Joined {
  /** Without continuations, comments between them, and the white space before the first character. */
  readonly text: string;
  /** From `at` on, the text stands at this position. */
  readonly pieces: readonly { readonly at: number; readonly position: Position }[];
  /** There is an empty line in it. */
  readonly hasGap: boolean;
}

/** `take` gives the next line, or undefined behind the last; `taken` is the 1-based number of the one it gave. */
export interface LineSource {
  readonly taken: number;
  take(): string | undefined;
}

/** Joins the lines of one instruction, of which `first` was already taken. */
export function joinLines(first: string, lines: LineSource, token: Escape): Joined {
  const begun = trimStart(trimLineEnd(first));
  const start = { line: lines.taken, column: first.length - trimStart(first).length + 1 };
  const pieces: { at: number; position: Position }[] = [{ at: 0, position: start }];
  let { text, continues } = cutContinuation(begun, token);
  let hasGap = false;
  while (continues) {
    const next = lines.take();
    if (next === undefined) break;
    const line = trimLineEnd(next);
    const content = trimStart(line);
    if (content.startsWith("#")) continue;
    if (content === "") {
      hasGap = true;
      continue;
    }
    const piece = cutContinuation(line, token);
    pieces.push({ at: text.length, position: { line: lines.taken, column: 1 } });
    text += piece.text;
    continues = piece.continues;
  }
  return { text, pieces, hasGap };
}

/** Where a character of the text stands. */
export function positionAt({ pieces }: Joined, offset: number): Position {
  const piece = pieces.findLast(({ at }) => at <= offset) ?? pieces[0];
  if (piece === undefined) return { line: 1, column: 1 };
  return { line: piece.position.line, column: piece.position.column + offset - piece.at };
}

/** Takes the escape character off the end of a line that goes on; a doubled one is data. */
export function cutContinuation(line: string, token: Escape): { text: string; continues: boolean } {
  let end = line.length;
  while (end > 0 && (line[end - 1] === " " || line[end - 1] === "\t")) end--;
  const continues = line[end - 1] === token && line[end - 2] !== token;
  return { text: continues ? line.slice(0, end - 1) : line, continues };
}

export function trimLineEnd(line: string): string {
  let end = line.length;
  while (end > 0 && (line[end - 1] === "\n" || line[end - 1] === "\r")) end--;
  return line.slice(0, end);
}
