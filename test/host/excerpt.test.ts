// Places in a Dockerfile as people see them: line and column, some lines around, what is wrong underlined.

import assert from "node:assert/strict";
import { test } from "node:test";
import { showPlace } from "../../src/host/excerpt.ts";
import { readMarks } from "../support/marked.ts";

/** What is shown between the rules of `marked`, an instruction of whole lines with marks around what is wrong. */
function show(marked: string, line: number, endLine = line): string[] {
  const { text: source, range } = readMarks(marked);
  const [place = "", , ...lines] = showPlace({ file: "D", source, line, endLine, ...(range ? { exact: range } : {}) }).split("\n");
  return [place, ...lines.slice(0, -1)];
}

test("what is wrong is underlined", () => {
  const shown = show("FROM a\nCOPY --link «--form»=x \\\n  y /\nCMD z\n", 2, 3);
  const expected = [
    "D:2:13",
    "  1 |     FROM a",
    "  2 | >>> COPY --link --form=x \\",
    "    |                 ^^^^^^",
    "  3 | >>>   y /",
    "  4 |     CMD z",
  ];
  assert.deepEqual(shown, expected);
});

test("an underline stands below what it means", () => {
  const rows: readonly (readonly [what: string, marked: string, line: string, carets: string])[] = [
    ["behind tabs", "RUN\t--a\t«--b»", "RUN\t--a\t--b", "   \t   \t^^^"],
    ["behind wide characters", "RUN 한국 «x» y", "RUN 한국 x y", "         ^"],
    ["below wide characters", "RUN «🚢é» y", "RUN 🚢é y", "    ^^^"],
    ["below combining characters", "RUN «e\u0301» y", "RUN e\u0301 y", "    ^"],
    ["of more lines in the first", "RUN a «b \\\nc» d", "RUN a b \\", "      ^^^"],
    ["of nothing", "RUN a«» b", "RUN a b", "     ^"],
  ];
  for (const [what, marked, line, carets] of rows) {
    const lines = show(marked, 1, marked.split("\n").length);
    assert.deepEqual(lines.slice(1, 3), [`  1 | >>> ${line}`, `    |     ${carets}`], what);
  }
});

test("a whole instruction is marked alone, with its column", () => {
  assert.deepEqual(show("FROM a\n  «COPY x»\n", 2), ["D:2:3", "  1 |     FROM a", "  2 | >>>   COPY x"]);
  assert.deepEqual(show("«RUN a \\\n b»", 1, 2), ["D:1:1", "  1 | >>> RUN a \\", "  2 | >>>  b"]);
  assert.deepEqual(show("FROM a\nRUN x\n", 2), ["D:2", "  1 |     FROM a", "  2 | >>> RUN x"]);
});

test("of a long instruction the part that is wrong is shown", () => {
  const lines = Array.from({ length: 60 }, (_, i) => `  a${i + 2} \\`);
  const shown = show(`RUN a1 \\\n${lines.join("\n").replace("a40", "«a40»")}\n`, 1, 60);
  assert.equal(shown[0], "D:40:3");
  assert.equal(shown.length, 22);
  assert.deepEqual(shown.slice(11, 13), ["  40 | >>>   a40 \\", "     |       ^^^"]);
});

test("a byte order mark is nothing to be seen", () => {
  assert.deepEqual(show("FROM «a b»\n", 1), ["D:1:6", "  1 | >>> FROM a b", "    |          ^^^"]);
  assert.deepEqual(showPlace({ file: "D", source: "\ufeffFROM a", line: 1, endLine: 1 }).split("\n")[2], "  1 | >>> FROM a");
});
