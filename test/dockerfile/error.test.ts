// How mistakes are shown.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DockerfileError, parseDockerfile, suggest } from "../../src/dockerfile/dockerfile.ts";
import { lineRange } from "../../src/dockerfile/error.ts";
import { locateErrors } from "../../src/dockerfile/locate.ts";

test("an error carries what is needed to show it", () => {
  const source = "FROM a\n\n COYP b c\n";
  assert.throws(
    () => parseDockerfile(source, "d/Dockerfile"),
    (error) => {
      assert.ok(error instanceof DockerfileError && error instanceof SyntaxError);
      assert.equal(error.message, "d/Dockerfile:3:2: unknown instruction: COYP (did you mean COPY?)");
      assert.equal(error.reason, "unknown instruction: COYP");
      assert.equal(error.hint, "did you mean COPY?");
      assert.deepEqual(error.range, { start: { line: 3, column: 2 }, end: { line: 3, column: 6 } });
      assert.deepEqual(error.instruction, { start: { line: 3, column: 2 }, end: { line: 3, column: 10 } });
      return true;
    },
  );
});

test("locateErrors leaves other errors alone", () => {
  const other = new Error("disk");
  const action = () => {
    throw other;
  };
  assert.throws(() => locateErrors({ file: "f" }, lineRange(1), action), other);
});

test("suggest finds what is at most two edits away", () => {
  const rows: [string, readonly string[], boolean, string | undefined][] = [
    ["FNTRYPOINT", ["entrypoint", "env"], false, "did you mean ENTRYPOINT?"],
    ["rnu", ["env", "run"], false, "did you mean run?"],
    ["bulid", ["build", "base"], true, "did you mean build?"],
    ["build", ["build"], true, undefined],
    ["Build", ["build"], true, "did you mean build?"],
    ["xyz", ["build"], true, undefined],
    ["", ["ab"], true, "did you mean ab?"],
  ];
  for (const [word, options, caseSensitive, expected] of rows) assert.equal(suggest(word, options, caseSensitive), expected, word);
});
