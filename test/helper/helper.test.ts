// That the helper is found, verified, started, and ended.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { openHelper, verifyFile } from "../../src/helper/helper.ts";

test("openHelper gives a program that runs", async () => {
  const helper = await openHelper();
  assert.ok(helper);
  const process = helper.start(["version"]);
  assert.match(await text(process.stdout), /^slipway-helper \d/);
  assert.deepEqual(await process.exited, { code: 0, signal: null, stderr: "" });
});

test("an unknown command of the helper is an error that lists the known ones", async () => {
  const helper = await openHelper();
  const end = await helper?.start(["frobnicate"]).exited;
  assert.equal(end?.code, 2);
  assert.match(end?.stderr ?? "", /Cannot do "frobnicate".*run, apply, scan/);
});

test("an aborted signal kills the helper", async () => {
  const helper = await openHelper();
  const controller = new AbortController();
  const process = helper?.start(["scan", "/nowhere", "--stdin"], { signal: controller.signal });
  controller.abort();
  const end = await process?.exited;
  assert.notEqual(end?.code, 0);
});

test("verifyFile refuses whatever is not what the manifest says", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "slipway-helper-"));
  t.after(() => rm(directory, { recursive: true }));
  const folder = pathToFileURL(`${directory}/`);
  const sha256 = createHash("sha256").update("good").digest("hex");
  await assert.rejects(verifyFile(folder, "file"), /cannot be read/);
  await writeFile(join(directory, "manifest.json"), JSON.stringify({ files: { file: { size: 4, sha256 } } }));
  await assert.rejects(verifyFile(folder, "file"), /cannot be read/);
  for (const wrong of ["evil", "goo", "good!"]) {
    await writeFile(join(directory, "file"), wrong);
    await assert.rejects(verifyFile(folder, "file"), /manifest\.json says/);
  }
  await writeFile(join(directory, "file"), "good");
  await verifyFile(folder, "file");
  await writeFile(join(directory, "other"), "good");
  await assert.rejects(verifyFile(folder, "other"), /says nothing/);
});
