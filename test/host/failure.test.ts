// Failures read well, end with kaniko's prefixes, and carry the exit code.

import assert from "node:assert/strict";
import { constants } from "node:os";
import test from "node:test";
import { BuildFailure } from "../../src/build/failure.ts";
import { describeFailure } from "../../src/host/failure.ts";
import type { Failure } from "../../src/report/report.ts";

const source = ["FROM a", "COPY . .", "", "RUN make \\", "  all", "CMD x", "USER y", ""].join("\n");
const excerpt = ["Dockerfile:4", "--------------------", "  2 |     COPY . .", "  3 |", "  4 | >>> RUN make \\", "  5 | >>>   all"]
  .concat("  6 |     CMD x", "  7 |     USER y", "--------------------")
  .join("\n");

const rows: readonly [name: string, error: unknown, exitCode: number, failure: Failure][] = [
  [
    "a RUN that fails",
    new BuildFailure("command `make all` ended with exit code 42", {
      exitCode: 42,
      place: { file: "Dockerfile", line: 4, endLine: 5, source },
      output: ["make: ***"],
      hint: "try it",
    }),
    42,
    {
      headline: "error building image: command `make all` ended with exit code 42",
      causes: [],
      excerpt,
      output: ["make: ***"],
      hint: "try it",
    },
  ],
  [
    "a push that fails",
    new BuildFailure("host said no", { phase: "pushing image" }),
    1,
    { headline: "error pushing image: host said no", causes: [] },
  ],
  [
    "an output that cannot be written",
    new BuildFailure('Cannot write "/x"', {
      phase: "writing outputs",
      cause: Object.assign(new Error("ENOSPC: no space"), { code: "ENOSPC" }),
    }),
    1,
    {
      headline: 'error pushing image: Cannot write "/x"',
      causes: ["ENOSPC: no space"],
      hint: "the disk is full: free some space, or write the file elsewhere",
    },
  ],
  [
    "a disk that is full while it builds, as the helper says it",
    new BuildFailure('Cannot write "bin/x": No space left on device'),
    1,
    {
      headline: 'error building image: Cannot write "bin/x": No space left on device',
      causes: [],
      hint: "the disk is full: free some space, or choose another disk with --state-dir",
    },
  ],
  [
    "a system error that its wrapper has said in its own words",
    new BuildFailure('Cannot open context "/x": directory "/x" does not exist', {
      cause: Object.assign(new Error("ENOENT: no such file or directory, realpath '/x'"), {
        code: "ENOENT",
        errno: -constants.errno.ENOENT,
      }),
    }),
    1,
    { headline: 'error building image: Cannot open context "/x": directory "/x" does not exist', causes: [] },
  ],
  [
    "a system error that its wrapper has not said",
    new BuildFailure('Cannot open context "/x": it cannot be read', {
      cause: Object.assign(new Error("EACCES: permission denied, open '/x'"), { code: "EACCES", errno: -constants.errno.EACCES }),
    }),
    1,
    { headline: 'error building image: Cannot open context "/x": it cannot be read', causes: ["EACCES: permission denied, open '/x'"] },
  ],
  [
    "a permission that is missing",
    new BuildFailure("401", { phase: "checking push permissions" }),
    1,
    {
      headline:
        "error checking push permissions -- make sure you entered the correct tag name, and that you are authenticated correctly, and try again: 401",
      causes: [],
    },
  ],
  [
    "causes, each once, those of several attempts too",
    new BuildFailure("Cannot pull: connect failed", {
      cause: new Error("connect failed", {
        cause: new AggregateError([new Error("refused ::1"), new Error("refused 127.0.0.1")], "", { cause: new Error("dns") }),
      }),
    }),
    1,
    { headline: "error building image: Cannot pull: connect failed", causes: ["dns", "refused ::1", "refused 127.0.0.1"] },
  ],
  [
    "an error of the system",
    Object.assign(new Error("EACCES: no"), { code: "EACCES" }),
    1,
    { headline: "error building image: EACCES: no", causes: [] },
  ],
  [
    "a mistake of ours",
    new TypeError("x is undefined"),
    1,
    {
      headline: "error building image: this is a bug in Slipway: x is undefined",
      causes: [],
      hint: "please report it, with the log that --verbosity=debug gives",
    },
  ],
  [
    "something thrown that is no error",
    "oops",
    1,
    {
      headline: "error building image: this is a bug in Slipway: oops",
      causes: [],
      hint: "please report it, with the log that --verbosity=debug gives",
    },
  ],
];

for (const [name, error, exitCode, failure] of rows) {
  test(`a failure: ${name}`, () => assert.deepEqual(describeFailure(error, false), { exitCode, failure }));
}

test("the stack stands in a detailed failure alone", () => {
  const error = new TypeError("x");
  assert.equal(describeFailure(error, true).failure.stack, error.stack);
  assert.equal(describeFailure(error, false).failure.stack, undefined);
});

test("causes that go round in a circle end", () => {
  const error = new Error("a", { cause: new Error("b") });
  (error.cause as Error).cause = error;
  assert.deepEqual(describeFailure(error, false).failure.causes, ["b"]);
});

test("a long instruction is shown by its first lines", () => {
  const long = Array.from({ length: 100 }, (_, i) => `line ${i + 1}`).join("\n");
  const { failure } = describeFailure(new BuildFailure("x", { place: { file: "D", line: 10, endLine: 90, source: long } }), false);
  assert.equal(failure.excerpt?.split("\n").length, 23);
  assert.match(failure.excerpt ?? "", /^ {3}8 \| {5}line 8$/m);
});
