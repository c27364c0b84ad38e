// Scripts of events give the log that stands in fixtures/, byte by byte.

import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { openPlainRenderer, type RendererOptions } from "../../src/report/plain.ts";
import { failedBuild, openTestClock, output, play, type Script, step, wholeBuild } from "./script.ts";

type Settings = Pick<RendererOptions, "format" | "timestamps" | "verbosity">;

const usual: Settings = { format: "text", timestamps: false, verbosity: "info" };

function render(script: Script, settings: Settings): string {
  const clock = openTestClock();
  const written: string[] = [];
  const renderer = openPlainRenderer({ ...settings, clock, write: (text) => written.push(text) });
  play(script, renderer, clock);
  return written.join("");
}

function assertFixture(t: TestContext, name: string, text: string): void {
  assert.doesNotMatch(text, /hunter2/);
  const path = fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
  t.assert.fileSnapshot(text, path, { serializers: [(value) => value] });
}

const rows: readonly [file: string, script: Script, settings: Settings][] = [
  ["whole-build.txt", wholeBuild, usual],
  ["whole-build-debug-timestamps.txt", wholeBuild, { ...usual, verbosity: "debug", timestamps: true }],
  ["whole-build-color.txt", wholeBuild, { ...usual, format: "color" }],
  ["whole-build-json.txt", wholeBuild, { ...usual, format: "json", verbosity: "trace" }],
  ["whole-build-warn.txt", wholeBuild, { ...usual, verbosity: "warn" }],
  ["failed-build.txt", failedBuild, usual],
  ["failed-build-json.txt", failedBuild, { ...usual, format: "json" }],
];

for (const [file, script, settings] of rows) {
  test(`the plain renderer writes ${file}`, (t) => assertFixture(t, file, render(script, settings)));
}

test("every line of the JSON log is an object with level, msg and time", () => {
  for (const line of render(wholeBuild, { ...usual, format: "json", verbosity: "trace" })
    .trimEnd()
    .split("\n")) {
    const { level, msg, time } = JSON.parse(line) as Record<string, unknown>;
    assert.ok(typeof level === "string" && typeof msg === "string" && typeof time === "string", line);
  }
});

test("the headline of a failure is the last line, at every verbosity", () => {
  for (const verbosity of ["trace", "info", "error", "fatal", "panic"] as const) {
    const lines = render(failedBuild, { ...usual, verbosity })
      .trimEnd()
      .split("\n");
    assert.equal(lines.at(-1), "error building image: command `make` ended with exit code 2");
  }
});

test("a secret that control sequences cut in two is hidden once they are gone", () => {
  const name = step("a", 1, 1, "RUN x");
  const script: Script = [(renderer) => renderer.mask("hunter2"), output(name, "hun\x1b[1Cter2\n")];
  assert.equal(render(script, usual), "[a 1/1] 0.0s | ***\n");
});

test("a line break in a message of ours starts no line that looks like a command", () => {
  assert.equal(render([{ kind: "notice", text: "a\n::error::b" }], usual), "a\n: :error::b\n");
  assert.equal(render([{ kind: "stage", stage: "a", base: "x\n::error::b", steps: 1 }], usual), "Stage a: FROM x\\x0a::error::b, 1 step\n");
});
