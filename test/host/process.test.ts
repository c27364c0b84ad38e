// The real program as a process of its own: how soon it answers, how it takes signals, that it ends.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import test from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const waiting = fileURLToPath(new URL("waiting-program.ts", import.meta.url));

async function run(script: string, args: readonly string[], signals: readonly NodeJS.Signals[] = []) {
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "pipe"] });
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

test("version and a refused flag load nothing of the core", async () => {
  const version = await run(main, ["version"]);
  assert.deepEqual([version.code, version.err], [0, ""]);
  assert.match(version.out, /^slipway /);
  const refused = await run(main, ["--destinatoin=x"]);
  assert.deepEqual([refused.code, refused.out, refused.err], [1, "", "Error: unknown flag: --destinatoin; did you mean --destination?\n"]);
});

test("SIGTERM lets the build clean up and ends with 143", async () => {
  const { code, err } = await run(waiting, ["--no-push"], ["SIGTERM"]);
  assert.equal(code, 143);
  assert.match(err, /building\ncleaned up\nerror building image: interrupted by SIGTERM\n$/);
});

test("a second SIGINT ends at once", async () => {
  const { code, err } = await run(waiting, ["--no-push", "--build-arg=stuck=1", "--state-dir=/nonexistent"], ["SIGINT", "SIGINT"]);
  assert.equal(code, 130);
  assert.match(err, /building\nstuck\n$/);
});

test("an uncaught error ends the build with 1", async () => {
  const { code, err } = await run(waiting, ["--no-push", "--build-arg=crash=1"]);
  assert.equal(code, 1);
  assert.match(err, /this is a bug in Slipway: crashed\n$/);
});
