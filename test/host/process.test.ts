// The real program as a process of its own: how soon it answers, how it takes signals, that it ends.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const waiting = fileURLToPath(new URL("waiting-program.ts", import.meta.url));

async function run(script: string, args: readonly string[], signals: readonly NodeJS.Signals[] = [], env = process.env) {
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  let [out, err] = ["", ""];
  child.stdout.on("data", (bytes) => (out += bytes));
  child.stderr.on("data", (bytes) => (err += bytes));
  for (const signal of signals) {
    const sent = err.length;
    while (err.length === sent) await once(child.stderr, "data");
    child.kill(signal);
  }
  const [code, signal] = await once(child, "close");
  return { code, signal, out, err };
}

/** The folders of src/ that a run has loaded something of, as the engine's coverage tells. */
function loadedFolders(coverage: string): string[] {
  const reports = readdirSync(coverage).map((name) => JSON.parse(readFileSync(join(coverage, name), "utf8")));
  const urls: string[] = reports.flatMap(({ result }) => result.map(({ url }: { url: string }) => url));
  return [...new Set(urls.flatMap((url) => /\/src\/(\w+)\//.exec(url)?.[1] ?? []))].sort();
}

test("version and a refused flag load nothing of the core", async (t) => {
  const coverage = mkdtempSync(join(tmpdir(), "slipway-coverage-"));
  t.after(() => rmSync(coverage, { recursive: true }));
  const env = { ...process.env, NODE_V8_COVERAGE: coverage };
  const version = await run(main, ["version"], [], env);
  assert.deepEqual([version.code, version.err], [0, ""]);
  assert.match(version.out, /^slipway /);
  const refused = await run(main, ["--destinatoin=x"], [], env);
  assert.deepEqual([refused.code, refused.out, refused.err], [1, "", "Error: unknown flag: --destinatoin; did you mean --destination?\n"]);
  assert.deepEqual(loadedFolders(coverage), ["host", "image", "report"]);
});

test("as a module it is the library, and runs nothing", async () => {
  const { code, out, err } = await run("-e", [`import(${JSON.stringify(main)}).then((library) => console.log(Object.keys(library)))`]);
  assert.deepEqual([code, out, err], [0, "[ 'build', 'diagnose', 'mergeImages', 'prune', 'warm' ]\n", ""]);
});

test("SIGTERM lets the build clean up and ends with 143", async () => {
  const { code, err } = await run(waiting, ["--no-push"], ["SIGTERM"]);
  assert.equal(code, 143);
  assert.match(err, /building\ncleaned up\nerror building image: interrupted by SIGTERM\n$/);
});

test("a second SIGINT ends at once, and takes the private state directory along", async (t) => {
  const state = mkdtempSync(join(tmpdir(), "slipway-state-"));
  t.after(() => rmSync(state, { recursive: true }));
  const env = { ...process.env, TMPDIR: state };
  const { code, err } = await run(waiting, ["--no-push", "--build-arg=stuck=1"], ["SIGINT", "SIGINT"], env);
  assert.equal(code, 130);
  assert.match(err, /building\nstuck\nhint: the build was ended before it had cleaned up\nerror building image: interrupted by SIGINT\n$/);
  assert.deepEqual(readdirSync(state), []);
});

test("an uncaught error ends the build with 1", async () => {
  const { code, err } = await run(waiting, ["--no-push", "--build-arg=crash=1"]);
  assert.equal(code, 1);
  assert.match(err, /this is a bug in Slipway: crashed\n$/);
});
