// BuildKit's own cases for the parser and the shell lexer.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { DockerfileError, expandWord, expandWords, parseDockerfile } from "../../src/dockerfile/dockerfile.ts";
import { readNodes } from "../../src/dockerfile/node.ts";
import { sharedFolder } from "../support/shared.ts";
import { dumpLines } from "./dump.ts";

test("the parser reads BuildKit's good files as BuildKit does, with either line end", (t) => {
  const folder = sharedFolder(t, "conformance/parser/good");
  if (folder === undefined) return;
  const names = readdirSync(folder);
  assert.ok(names.length >= 30, `${names.length} cases`);
  for (const name of names) {
    const text: string = readFileSync(`${folder}/${name}/Dockerfile`, "utf8");
    const expected: string = readFileSync(`${folder}/${name}/result`, "utf8");
    assert.equal(dumpLines(readNodes(text, name).nodes), expected, name);
    assert.equal(dumpLines(readNodes(text.replaceAll("\n", "\r\n"), name).nodes), expected, `${name} with CRLF`);
  }
});

test("the parser refuses BuildKit's bad files", (t) => {
  const folder = sharedFolder(t, "conformance/parser/bad");
  if (folder === undefined) return;
  const names = readdirSync(folder);
  assert.ok(names.length >= 4, `${names.length} cases`);
  for (const name of names) {
    const text = readFileSync(`${folder}/${name}/Dockerfile`);
    assert.throws(() => parseDockerfile(text, name), DockerfileError, name);
  }
});

test("expandWord gives what BuildKit's envVarTest says", (t) => {
  const folder = sharedFolder(t, "conformance/shell");
  if (folder === undefined) return;
  const values: Record<string, string> = { PWD: "/home", SHELL: "bash", KOREAN: "한국어", NULL: "" };
  const variables = { get: (name: string) => values[name], escape: "\\" } as const;
  let rows = 0;
  for (const line of readFileSync(`${folder}/envVarTest`, "utf8").split("\n")) {
    if (line.startsWith("#") || line.trim() === "") continue;
    const [platform = "", input = "", expected = ""] = line.split("|").map((cell) => cell.trim());
    if (platform === "W") continue;
    rows++;
    if (expected === "error") assert.throws(() => expandWord(input, variables), SyntaxError, input);
    else assert.equal(expandWord(input, variables), expected, input);
  }
  assert.ok(rows > 200, `${rows} rows`);
});

test("expandWords gives what BuildKit's wordsTest says", (t) => {
  const folder = sharedFolder(t, "conformance/shell");
  if (folder === undefined) return;
  const values: Record<string, string> = {};
  const variables = { get: (name: string) => values[name], escape: "\\" } as const;
  let rows = 0;
  for (const line of readFileSync(`${folder}/wordsTest`, "utf8").split("\n")) {
    if (line.startsWith("#") || line === "") continue;
    const setting = /^ENV ([^=]*)=(.*)$/.exec(line);
    if (setting) {
      values[setting[1] ?? ""] = setting[2] ?? "";
      continue;
    }
    rows++;
    const [input = "", expected = ""] = line.split("|");
    if (expected.trim() === "error") assert.throws(() => expandWords(input.trim(), variables), SyntaxError, input);
    else assert.deepEqual(expandWords(input.trim(), variables), expected.trimStart().split(","), input);
  }
  assert.ok(rows > 15, `${rows} rows`);
});
