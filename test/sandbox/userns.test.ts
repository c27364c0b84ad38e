// A user namespace that has the machine's processes beside it, as in a container where no new /proc may be mounted: nothing but the
// helper ends what a command leaves running.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openHelper } from "../../src/helper/helper.ts";
import { type Ending, startCommand } from "../../src/sandbox/start-command.ts";
import { needsRoot, processesNaming } from "./root.ts";
import { openBase, openStage, path } from "./stage.ts";

type Run = (script: string, options?: { readonly signal?: AbortSignal; onOutput?(text: string): void }) => Promise<Ending>;

async function openShared(t: TestContext): Promise<Run | undefined> {
  const base = needsRoot(t) ? openBase(t) : undefined;
  const helper = await openHelper();
  if (base === undefined || helper === undefined) return undefined;
  const stateDir = mkdtempSync(join(tmpdir(), "slipway-shared-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  await (await openStage(t, "userns", [base], stateDir)).run("true");
  const layers = join(stateDir, "layers");
  const lowers = readdirSync(layers).map((name) => join(layers, name, "fs"));
  return async (script, { signal = new AbortController().signal, onOutput = () => {} } = {}) => {
    const home = mkdtempSync(join(stateDir, "run-"));
    const [upper, work, stage] = ["upper", "work", "stage"].map((name) => join(home, name)) as [string, string, string];
    for (const directory of [upper, work, stage]) mkdirSync(directory);
    const place = { kind: "namespaces", lowers, upper, work, stage, user: { processes: "shared", ids: "all" } } as const;
    const show = (bytes: Uint8Array) => onOutput(Buffer.from(bytes).toString());
    const user = { uid: 0, gid: 0, groups: [] };
    const streams = { stdout: show, stderr: show };
    const command = {
      args: ["/bin/sh", "-c", script],
      env: [path],
      cwd: "/",
      user,
      hostname: "h",
      network: "default",
      mounts: [],
      ...streams,
    } as const;
    return await startCommand(command, place, { helper, files: {}, signal });
  };
}

const tree = "trap '' TERM INT HUP; setsid sleep 86461 & (sleep 86462 &) ; su -s /bin/sh nobody -c 'setsid sleep 86463 &'";

async function assertGone(): Promise<void> {
  for (let i = 0; i < 100 && processesNaming("8646[123]").length > 0; i++) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(processesNaming("8646[123]"), []);
}

test("what a command leaves running is gone when it has ended", async (t) => {
  const run = await openShared(t);
  if (run === undefined) return;
  assert.deepEqual(await run(`${tree}; exit 7`), { exitCode: 7 });
  assert.deepEqual(processesNaming("8646[123]"), []);
});

test("an abort ends it all", async (t) => {
  const run = await openShared(t);
  if (run === undefined) return;
  const abort = new AbortController();
  const running = run(`${tree}; echo up; sleep 86461`, { signal: abort.signal, onOutput: () => abort.abort(new Error("enough")) });
  await assert.rejects(running, /enough/);
  assert.deepEqual(processesNaming("8646[123]"), []);
});

test("so does the end of the helper, even when it is killed", async (t) => {
  const run = await openShared(t);
  if (run === undefined) return;
  // The command's parent is the first process of the namespaces, whose parent is the helper.
  const find = "awk '/^PPid/ { print $2 }' /proc/$PPID/status";
  const onOutput = (text: string) => {
    assert.ok(processesNaming("8646[123]").length >= 3);
    process.kill(Number(text), "SIGKILL");
  };
  const running = run(`${tree}; sleep 0.5; ${find}; sleep 86461`, { onOutput });
  await assert.rejects(running, /the helper ended with SIGKILL/);
  await assertGone();
});

test("a command that is killed by itself ends with its signal", async (t) => {
  const run = await openShared(t);
  if (run === undefined) return;
  assert.deepEqual(await run(`${tree}; kill -9 $$`), { exitCode: 137, signal: "SIGKILL" });
  assert.deepEqual(processesNaming("8646[123]"), []);
});
