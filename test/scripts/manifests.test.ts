// The documents' generated parts are what the flag table says.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { describeFlags, refresh } from "../../scripts/manifests.ts";
import { flags } from "../../src/host/flags.ts";

const path = fileURLToPath(new URL("../../docs/kaniko.md", import.meta.url));

test("docs/kaniko.md agrees with the flag table", () => {
  const text = readFileSync(path, "utf8");
  assert.equal(text, refresh(text), "run node scripts/manifests.ts");
});

test("drift is mended and the text around stays", () => {
  const text = readFileSync(path, "utf8");
  assert.equal(refresh(text.replace("| `--destination`", "| `--destinatoin`")), text);
  assert.throws(() => refresh("no markers"), /Cannot find "<!-- flags/);
});

test("every flag has its row, and cells hold no bare bar", () => {
  const rows = describeFlags()
    .split("\n")
    .filter((line) => line.startsWith("| `--"));
  assert.equal(rows.length, flags.length);
  for (const row of rows) assert.equal(row.split(/(?<!\\)\|/).length, 5, row);
});
