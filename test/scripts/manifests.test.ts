// Generated parts are what the flag table and package.json say.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { derived, describeFlags, refreshDocument, refreshVersion } from "../../scripts/manifests.ts";
import { flags } from "../../src/host/flags.ts";

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");

for (const [path, refresh] of derived) {
  test(`${path} is up to date`, () => assert.equal(read(path), refresh(read(path)), "run node scripts/manifests.ts"));
}

test("drift is mended and the text around stays", () => {
  const text = read("docs/kaniko.md");
  assert.equal(refreshDocument(text.replace("| `--destination`", "| `--destinatoin`")), text);
  assert.throws(() => refreshDocument("no markers"), /Cannot find "<!-- flags/);
  const module = read("src/host/version.ts");
  assert.equal(refreshVersion(module.replace(/"\d.*"/, '"9.9.9"')), module);
});

test("every flag has its row, and cells hold no bare bar", () => {
  const rows = describeFlags()
    .split("\n")
    .filter((line) => line.startsWith("| `--"));
  assert.equal(rows.length, flags.length);
  for (const row of rows) assert.equal(row.split(/(?<!\\)\|/).length, 5, row);
});
