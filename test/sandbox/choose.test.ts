// What is said where no sandbox can be opened.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openLayerFiles } from "../../src/filesystem/filesystem.ts";
import { openHelper } from "../../src/helper/helper.ts";
import { openBlobs } from "../../src/layer/layer.ts";
import { openSandbox, type SandboxChoice, type SandboxOptions } from "../../src/sandbox/sandbox.ts";
import { needsRoot } from "./root.ts";

async function makeOptions(test: { after(clean: () => void): void }): Promise<SandboxOptions> {
  const stateDir = mkdtempSync(join(tmpdir(), "slipway-choose-"));
  test.after(() => rmSync(stateDir, { recursive: true, force: true }));
  return {
    stateDir,
    stateIsPrivate: false,
    sudo: true,
    freshCaches: new Set(),
    blobs: await openBlobs(stateDir),
    files: openLayerFiles(join(stateDir, "spool")),
    helper: await openHelper(),
    report: { emit() {}, mask() {} },
  };
}

test("sandboxes that come later are refused by name", async (t) => {
  const options = await makeOptions(t);
  for (const name of ["proot"])
    await assert.rejects(openSandbox(name as SandboxChoice, options), new RegExp(`Cannot use the sandbox "${name}": not yet supported`));
});

test("inplace is for the executor image", async (t) => {
  await assert.rejects(
    openSandbox("inplace", await makeOptions(t)),
    /Cannot use the sandbox "inplace": it is for the executor image alone/,
  );
});

test("without a helper the machine is named", async (t) => {
  const options = { ...(await makeOptions(t)), helper: undefined };
  await assert.rejects(openSandbox("auto", options), new RegExp(`there is no helper program for ${process.arch}`));
});

test("a sandbox is tried in less than 50 ms and leaves nothing", async (t) => {
  if (!needsRoot(t)) return;
  const options = await makeOptions(t);
  const times: number[] = [];
  // Something else may be busy for a moment.
  for (let i = 0; i < 40 && !times.some((ms) => ms < 50); i++) {
    const started = performance.now();
    const sandbox = await openSandbox("auto", options);
    times.push(performance.now() - started);
    assert.equal(sandbox.name, "ns");
    await sandbox.close();
  }
  assert.ok(Math.min(...times) < 50, times.join(", "));
  assert.deepEqual(readdirSync(join(options.stateDir, "work")), []);
});
