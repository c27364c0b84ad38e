// What `slipway check` prints in its formats, and how it ends.

import assert from "node:assert/strict";
import test from "node:test";
import type { Checked } from "../../src/build/build.ts";
import { showChecked } from "../../src/host/check.ts";
import { runShell } from "../../src/host/shell.ts";
import { type Build, coreWith, openTestSurroundings } from "./surroundings.ts";

const source = "FROM alpine AS b\nENV k \\\n  v\nCMD ##[group]\n";
const at = (line: number, column: number, endLine: number, endColumn: number) => ({
  start: { line, column },
  end: { line: endLine, column: endColumn },
});
const legacy = {
  rule: "LegacyKeyValueFormat",
  message: "use =",
  description: "No blanks",
  url: "https://docs/legacy/",
  range: at(2, 1, 3, 4),
  own: false,
};
const own = { rule: "IgnoredFlag", message: "##[group] has no effect", description: "Flags", range: at(4, 1, 4, 14), own: true };
const checked: Checked = { file: "sub dir/Dockerfile", source, findings: [legacy, own], silenced: new Set() };
const clean: Checked = { ...checked, findings: [] };
const broken: Checked = { ...clean, error: { message: "no such stage", place: { file: checked.file, source, line: 1, endLine: 1 } } };

test("text is as docker build --check prints it, and harmless", () => {
  assert.equal(
    showChecked(checked, "text"),
    [
      "Check complete, 2 warnings have been found!",
      "",
      "WARNING: LegacyKeyValueFormat - https://docs/legacy/",
      "use =",
      "sub dir/Dockerfile:2",
      "--------------------",
      "  1 |     FROM alpine AS b",
      "  2 | >>> ENV k \\",
      "  3 | >>>   v",
      "  4 |     CMD ## [group]",
      "--------------------",
      "",
      "WARNING: IgnoredFlag",
      "## [group] has no effect",
      "sub dir/Dockerfile:4",
      "--------------------",
      "  2 |     ENV k \\",
      "  3 |       v",
      "  4 | >>> CMD ## [group]",
      "--------------------",
      "",
    ].join("\n"),
  );
  assert.match(showChecked({ ...checked, findings: [own] }, "text"), /^Check complete, 1 warning has been found!\n/);
  assert.equal(showChecked(clean, "text"), "Check complete, no warnings found.\n");
  assert.match(showChecked(broken, "text"), /^ERROR: no such stage\nsub dir\/Dockerfile:1\n/);
});

test("json is BuildKit's", () => {
  const text = showChecked(checked, "json");
  assert.ok(!text.includes("##["), text);
  assert.deepEqual(JSON.parse(text), {
    warnings: [
      {
        ruleName: "LegacyKeyValueFormat",
        description: "No blanks",
        url: "https://docs/legacy/",
        detail: "use =",
        location: { ranges: [{ start: { line: 2 }, end: { line: 3 } }] },
      },
      {
        ruleName: "IgnoredFlag",
        description: "Flags",
        detail: "##[group] has no effect",
        location: { ranges: [{ start: { line: 4 }, end: { line: 4 } }] },
      },
    ],
    sources: [{ fileName: "sub dir/Dockerfile", language: "Dockerfile", data: Buffer.from(source).toString("base64") }],
  });
  const { error } = JSON.parse(showChecked(broken, "json"));
  assert.deepEqual(error, { message: "no such stage", location: { ranges: [{ start: { line: 1 }, end: { line: 1 } }] } });
});

test("sarif names each rule once and points into the file by a relative URL", () => {
  const log = JSON.parse(showChecked({ ...checked, findings: [legacy, own, { ...legacy, range: at(4, 1, 4, 1) }] }, "sarif"));
  assert.equal(log.$schema, "https://json.schemastore.org/sarif-2.1.0.json");
  assert.equal(log.version, "2.1.0");
  assert.equal(log.runs.length, 1);
  const [run] = log.runs;
  assert.equal(run.tool.driver.name, "slipway");
  assert.deepEqual(run.tool.driver.rules, [
    {
      id: "LegacyKeyValueFormat",
      shortDescription: { text: "No blanks" },
      helpUri: "https://docs/legacy/",
      defaultConfiguration: { level: "warning" },
    },
    { id: "IgnoredFlag", shortDescription: { text: "Flags" }, defaultConfiguration: { level: "warning" } },
  ]);
  assert.equal(run.results.length, 3);
  for (const result of run.results) {
    assert.equal(run.tool.driver.rules[result.ruleIndex].id, result.ruleId);
    assert.equal(result.level, "warning");
    assert.equal(typeof result.message.text, "string");
    const { artifactLocation, region } = result.locations[0].physicalLocation;
    assert.deepEqual(artifactLocation, { uri: "sub%20dir/Dockerfile", uriBaseId: "%SRCROOT%" });
    assert.ok(region.startLine >= 1 && region.endLine >= region.startLine && region.startColumn >= 1);
    assert.ok(region.endLine > region.startLine || region.endColumn >= region.startColumn);
  }
  assert.deepEqual(run.results[0].locations[0].physicalLocation.region, { startLine: 2, startColumn: 1, endLine: 3, endColumn: 4 });
  assert.deepEqual(run.invocations, [{ executionSuccessful: true }]);
});

test("sarif tells of a Dockerfile that cannot be built, wherever it lies", () => {
  const [run] = JSON.parse(showChecked({ ...broken, file: "/tmp/a b/Dockerfile" }, "sarif")).runs;
  assert.equal(run.invocations[0].executionSuccessful, false);
  const [notification] = run.invocations[0].toolExecutionNotifications;
  assert.equal(notification.level, "error");
  assert.equal(notification.message.text, "no such stage");
  assert.deepEqual(notification.locations[0].physicalLocation.artifactLocation, { uri: "file:///tmp/a%20b/Dockerfile" });
});

const endings: readonly [name: string, checked: Checked, code: number][] = [
  ["nothing", clean, 0],
  ["warnings", checked, 1],
  ["an error", broken, 1],
];

for (const [name, found, code] of endings)
  test(`check that finds ${name} ends with ${code} and prints on standard output`, async () => {
    const surroundings = openTestSurroundings(["check", "--format=json"]);
    const build: Build = async (request) => {
      assert.equal(request.checkOnly, true);
      return { written: [], checked: found };
    };
    assert.equal(await runShell(coreWith({ build }), surroundings), code);
    assert.equal(surroundings.out.join(""), showChecked(found, "json"));
    assert.deepEqual(surroundings.err, []);
  });

const foreign: readonly (readonly [args: readonly string[], error: string])[] = [
  [["--no-push", "--format=json"], "flag --format is one of slipway check and explain and doctor alone"],
  [["--no-push", "--dry-run"], "flag --dry-run is one of slipway prune alone; did you mean --dryrun?"],
];

for (const [args, error] of foreign)
  test(`${args.join(" ")} is refused: ${error}`, async () => {
    const surroundings = openTestSurroundings(args);
    assert.equal(await runShell(coreWith({}), surroundings), 1);
    assert.equal(surroundings.err.join(""), `Error: ${error}\n`);
  });
