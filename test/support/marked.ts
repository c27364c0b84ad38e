// Dockerfiles in which «marks» stand around what is wrong.

import assert from "node:assert/strict";
import type { DockerfileError } from "../../src/dockerfile/dockerfile.ts";

export interface Marked {
  /** Without the marks. */
  readonly text: string;
  /** What the marks were around; undefined where there were none. */
  readonly range: DockerfileError["range"] | undefined;
}

export function readMarks(marked: string): Marked {
  const [before = "", inner, after = ""] = marked.split(/[«»]/);
  if (inner === undefined) return { text: marked, range: undefined };
  const position = (text: string) => ({ line: text.split("\n").length, column: text.length - text.lastIndexOf("\n") });
  return { text: before + inner + after, range: { start: position(before), end: position(before + inner) } };
}

/** An error without marks is one of a whole instruction. */
export function assertMarked(error: DockerfileError, { text, range }: Marked): void {
  assert.deepEqual(error.range, range ?? error.instruction, `${text}\n${error.message}`);
  const { line, column } = error.range.start;
  assert.ok(error.message.startsWith(`${error.file}:${line}:${column}: `), error.message);
}
