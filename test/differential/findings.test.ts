// Programs with which BuildKit and Slipway once differed: Slipway builds them again, and must make what BuildKit made.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { needsRoot } from "../sandbox/root.ts";
import { openLocalRegistry } from "../support/local-registry.ts";
import { pushBases } from "./base.ts";
import { buildWithSlipway } from "./builders.ts";
import { compareOutcomes } from "./compare-outcomes.ts";
import { readFinding } from "./finding.ts";

const findings = fileURLToPath(new URL("findings", import.meta.url));

test("what once differed from BuildKit", async (t) => {
  const registry = needsRoot(t) ? await openLocalRegistry(t) : undefined;
  if (registry === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "slipway-differential-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const state = join(folder, "state");
  mkdirSync(state);
  const build = buildWithSlipway(state, { host: registry.host, folder, known: await pushBases(registry.host, folder) });
  for (const name of readdirSync(findings))
    await t.test(name, async () => {
      const { program, expected } = readFinding(join(findings, name));
      assert.ok(expected, `no outcome is written down: npm run fuzz:differential -- --record --case test/differential/findings/${name}`);
      assert.deepEqual(compareOutcomes(expected, await build(program)), []);
    });
});
