// Kills processes at random points while they put, replace and prune records: what is found afterwards is whole. SLIPWAY_CRASHES says how often.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { kinds } from "./places.ts";
import { keyOf, makeFolder, readWhole, recordOf, recordWith } from "./records.ts";

const crashes = Number(process.env.SLIPWAY_CRASHES ?? 60);

/** In one file, which starts in a tenth of the time. */
async function bundleProgram(t: TestContext): Promise<string> {
  const outfile = join(makeFolder(t), "putting-program.mjs");
  const entryPoints = [fileURLToPath(new URL("putting-program.ts", import.meta.url))];
  const banner = { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' };
  await build({ entryPoints, outfile, bundle: true, platform: "node", format: "esm", banner, logLevel: "error" });
  return outfile;
}
const keys = Array.from({ length: 40 }, (_, i) => keyOf(`crash ${i}`));

interface Putter {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  readonly turns: () => number;
  readonly errors: () => string;
}

/** Resolves when the program has begun to put. */
async function startPutter(t: TestContext, args: readonly string[]): Promise<Putter> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  const ended = new Promise((resolve) => child.once("close", resolve));
  let turns = 0;
  let errors = "";
  child.stderr.on("data", (text) => {
    errors += text;
  });
  await new Promise<void>((resolve, reject) => {
    child.once("close", () => reject(new Error(`The program ended by itself: ${errors}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [, folder] = /^ready (.*)$/.exec(line) ?? [];
      if (folder === undefined) turns += 1;
      else t.after(() => rmSync(folder, { recursive: true, force: true }));
      resolve();
    });
  });
  return { child, ended, turns: () => turns, errors: () => errors };
}

// A registry that goes on after its client has died is whole by itself; the one in this process stands for all.
for (const kind of kinds.filter(({ name }) => !/Debian/.test(name))) {
  const times = Math.ceil(kind.name === "a repository" ? crashes / 6 : crashes / 2.4);
  test(`${kind.name} is whole after each of ${times} kills`, { timeout: 30_000 + times * 2000 }, async (t) => {
    const place = await kind.prepare(t);
    assert.ok(place);
    const program = await bundleProgram(t);
    const start = (seed: number) => startPutter(t, [program, ...place.program, String(seed)]);
    const first = place.open();
    for (let i = 0; i < 40; i++) await first.put(recordWith(`crash ${i}`, []));
    await first.close();
    let coming = start(0);
    let [turns, found] = [0, 0];
    for (let i = 1; i <= times; i++) {
      const putter = await coming;
      // The next one is there by then, so that a killed process has always others beside it.
      coming = start(i);
      await sleep(randomInt(kind.name === "a repository" ? 300 : 120));
      putter.child.kill("SIGKILL");
      await putter.ended;
      assert.equal(putter.errors(), "");
      const store = place.open();
      // Whoever prunes may take a record between the look and the reading.
      const names = await readWhole(store, keys).catch((error: Error) => (/gone/.test(error.message) ? [] : Promise.reject(error)));
      found += names.length;
      turns += putter.turns();
      await store.close();
    }
    const last = await coming;
    last.child.kill("SIGKILL");
    await last.ended;
    const store = place.open();
    await store.put(recordOf("after all"));
    assert.deepEqual(await readWhole(store, [keyOf("after all")]), ["after all"]);
    await readWhole(store, keys);
    await store.prune({ dryRun: false });
    await readWhole(store, keys);
    await store.close();
    assert.deepEqual(place.texts, []);
    assert.ok(found > 0);
    t.diagnostic(`${turns} turns, ${found} records read`);
  });
}
