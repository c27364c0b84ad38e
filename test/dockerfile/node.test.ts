// Lines, continuations, directives and heredocs, and where they stand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Heredoc, parseDockerfile } from "../../src/dockerfile/dockerfile.ts";
import { readNodes } from "../../src/dockerfile/node.ts";

const read = (text: string) => readNodes(text, "Dockerfile").nodes;
const heredocs = (text: string) => read(text).flatMap((node) => node.heredocs);

test("ranges go from the first character to the end of the last line", () => {
  const text = "# comment\n\n  FROM scratch\n\n\nCOPY a \\\n  # between\n\n  /b\nRUN <<E\nbody\nE\n\n";
  const ranges = read(text).map(({ range: { start, end } }) => [start.line, start.column, end.line, end.column]);
  assert.deepEqual(ranges, [
    [3, 3, 3, 15],
    [6, 1, 9, 5],
    [10, 1, 12, 2],
  ]);
});

test("joined lines keep their inner white space and lose comments", () => {
  const rows: [string, string][] = [
    ["RUN a\\\n  b", "RUN a  b"],
    ["RUN a \\  \t\n b", "RUN a  b"],
    ["RUN a\\\\\n", "RUN a\\\\"],
    ["RUN a \\", "RUN a "],
    ["RUN a \\\n# c \\\n\n  # d\nb", "RUN a b"],
    ["RUN a # b \\\n c", "RUN a # b  c"],
    ["# escape=`\nRUN a\\\n# c", "RUN a\\"],
    ["# escape=`\nRUN a `\nb", "RUN a b"],
    ["RUN a \\\r\n  b\r\n", "RUN a   b"],
    ["\\\nRUN a", "RUN a"],
    ["\ufeffRUN a", "RUN a"],
  ];
  for (const [text, original] of rows) assert.equal(read(text)[0]?.original, original, JSON.stringify(text));
});

test("empty continuation lines are mentioned once for each instruction", () => {
  const text = "FROM a\nRUN b \\\n\n  c \\\n\n d\nRUN e \\\n  # comment\n f\nRUN g \\\n \n h\n";
  const { warnings } = parseDockerfile(text, "Dockerfile");
  const seen = warnings.map(({ rule, message, range }) => [rule, message, range.start.line]);
  assert.deepEqual(seen, [
    ["NoEmptyContinuation", "Empty continuation line", 2],
    ["NoEmptyContinuation", "Empty continuation line", 10],
  ]);
});

test("comments directly above belong to an instruction", () => {
  const text = "# syntax=x\n# file\n#\n# one\n# two\nFROM a\n# three\n\n# four\nRUN b\nRUN c\n";
  assert.deepEqual(
    read(text).map((node) => node.comments),
    [["one", "two"], ["four"], []],
  );
});

test("directives count only at the top", () => {
  const rows: [string, Record<string, string>][] = [
    ["# escape=`\n", { escape: "`" }],
    [
      "#EsCaPe = `  \n# syntax = docker/dockerfile:1 # x\n#check=skip=all\n",
      { escape: "`", syntax: "docker/dockerfile:1 # x", check: "skip=all" },
    ],
    ["# comment\n# escape=`\n", {}],
    ["# key=value\n# escape=`\n", {}],
    ["\n# escape=`\n", {}],
    ["#!/usr/bin/env docker\n# syntax=x\n# check=error=true\n# escape=`\n", { syntax: "x", check: "error=true" }],
    ["\ufeff# syntax=x\n", { syntax: "x" }],
    ["# syntax=\n", {}],
    ["# escape=`\r\n# syntax=x\r\n", { escape: "`", syntax: "x" }],
  ];
  for (const [head, expected] of rows) {
    const { directives, escape: token } = parseDockerfile(`${head}FROM a\n`, "Dockerfile");
    const found = Object.fromEntries(Object.entries(directives).map(([name, { value }]) => [name, value]));
    assert.deepEqual(found, expected, head);
    assert.equal(token, expected.escape ?? "\\", head);
  }
});

test("heredocs are found where BuildKit finds them", () => {
  const mark = { descriptor: 0, expand: true, chomp: false };
  const rows: [string, Heredoc[]][] = [
    ["USER <<E\n", []],
    ["RUN <<E\nE\n", [{ ...mark, name: "E", content: "" }]],
    ["RUN 3<<E\nE\n", [{ ...mark, name: "E", descriptor: 3, content: "" }]],
    ['RUN "<<E"\n', []],
    ['RUN ["<<E"]\n', []],
    ["RUN <<E\n\tfoo\n\tbar\nE\n", [{ ...mark, name: "E", content: "\tfoo\n\tbar\n" }]],
    ["RUN <<-E\n\tfoo\n\t\tE\n", [{ ...mark, name: "E", chomp: true, content: "\tfoo\n" }]],
    ["RUN <<-'E'\n$X\nE\n", [{ ...mark, name: "E", chomp: true, expand: false, content: "$X\n" }]],
    ["RUN <<E\n# a\n\nb \\\nE \n\tE\nE\n", [{ ...mark, name: "E", content: "# a\n\nb \\\nE \n\tE\n" }]],
    ["RUN --mount=type=cache,target=/foo <<E\nE\n", [{ ...mark, name: "E", content: "" }]],
    [
      "COPY <<X <<Y /dest\nY\nX\nX\nY\n",
      [
        { ...mark, name: "X", content: "Y\n" },
        { ...mark, name: "Y", content: "X\n" },
      ],
    ],
    ["RUN <<E python3\nE\n", [{ ...mark, name: "E", content: "" }]],
    ["COPY <<file.txt /dest\nfile.txt\n", [{ ...mark, name: "file.txt", content: "" }]],
    ["RUN <<eo'f'\neof\n", [{ ...mark, name: "eof", expand: false, content: "" }]],
    ["RUN <<eo\\'f\neo'f\n", [{ ...mark, name: "eo'f", content: "" }]],
    ["RUN <<'e'o\\'f\neo'f\n", [{ ...mark, name: "eo'f", expand: false, content: "" }]],
    ["RUN <<'one two'\none two\n", [{ ...mark, name: "one two", expand: false, content: "" }]],
    ["RUN <<$EOF\n$EOF\n", [{ ...mark, name: "$EOF", content: "" }]],
    ["RUN <<  EOF  > foo\nEOF\n", [{ ...mark, name: "EOF", content: "" }]],
    ["RUN << -EOF\n-EOF\n", [{ ...mark, name: "-EOF", content: "" }]],
    ["RUN <<E \\\n && x\nE\n", [{ ...mark, name: "E", content: "" }]],
    ["RUN echo $((1<<2)) <<<x\n", []],
    ["RUN cat <<E 'unfinished\n", []],
    ["ONBUILD RUN <<E\na\nE\n", [{ ...mark, name: "E", content: "a\n" }]],
    ["# escape=`\nRUN <<E\na`\nE\n", [{ ...mark, name: "E", content: "a`\n" }]],
    ["RUN <<E\r\na\r\nE\r\n", [{ ...mark, name: "E", content: "a\r\n" }]],
    ["RUN <<E\nE", [{ ...mark, name: "E", content: "" }]],
  ];
  for (const [text, expected] of rows) assert.deepEqual(heredocs(text), expected, JSON.stringify(text));
});

test("what stands after a heredoc is the next instruction", () => {
  assert.deepEqual(
    read("RUN <<E\nE\nRUN a\n").map((node) => node.args),
    [["<<E"], ["a"]],
  );
});

test("text that is no Dockerfile is refused with its place", () => {
  const rows: [string, string][] = [
    ["", "f:1:1: the Dockerfile cannot be empty"],
    ["\n \n", "f:2:1: file with no instructions"],
    ["# a\n# b", "f:2:1: file with no instructions"],
    ["# escape=`\n# escape=`\n", "f:2:1: only one escape parser directive can be used"],
    ["# syntax=a\n# syntax=b\n", "f:2:1: only one syntax parser directive can be used"],
    ["# escape=x\nFROM a\n", "f:1:10: invalid escape token 'x' does not match ` or \\"],
    ["FROM a\nRUN <<E\nE2\n", "f:2:5: unterminated heredoc (no line is just E)"],
    [`FROM a\n\nENV b=${"c".repeat(70_000)}\n`, "f:3:1: dockerfile line greater than max allowed size of 65535"],
    [`FROM a\nRUN ${"é".repeat(33_000)}\n`, "f:2:1: dockerfile line greater than max allowed size of 65535"],
  ];
  for (const [text, message] of rows) {
    assert.throws(() => readNodes(text, "f"), { name: "DockerfileError", file: "f", message }, JSON.stringify(text.slice(0, 40)));
  }
});

test("a line may have 65535 bytes, and an instruction more", () => {
  const line = `RUN ${"c".repeat(65_535 - 5)}\\`;
  assert.equal(read(`FROM a\n${line}\n${line}\n`)[1]?.original.length, 2 * 65_534);
});
