// Kills builds at random moments while they write to a store of each kind: the builds after them succeed, with the image that is due, and find the store whole.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { CacheStore } from "../../src/build/build.ts";
import { openRandom, type Random } from "../differential/random.ts";
import type { Owner } from "../support/build.ts";
import { bundleProgram } from "../support/bundle.ts";
import { startCacheService } from "../support/cache-service.ts";
import { startRegistry } from "../support/registry.ts";

export interface CrashOptions {
  /** Kills of builds that have not ended, over all kinds of stores. */
  readonly count: number;
  readonly seed: number;
  say(line: string): void;
}

export interface CrashCount {
  readonly kind: string;
  readonly kills: number;
  /** Further ones that came too late. */
  readonly late: number;
}

interface Ended {
  readonly digest: string;
  readonly warnings: readonly string[];
  readonly outcomes: readonly string[];
}

/** Images that a store gets one after the other; then it is begun anew. Each has something that the others lack. */
const mains = 6;

const kinds: Readonly<Record<string, (folder: string, owner: Owner) => Promise<CacheStore>>> = {
  "a directory": async (folder) => ({ kind: "directory", path: join(folder, "store"), maxBytes: 2_000_000 }),
  "an image layout": async (folder) => ({ kind: "layout", path: join(folder, "store") }),
  "a repository": async (_, owner) => ({
    kind: "repository",
    reference: { registry: (await startRegistry(owner)).host, repository: "cache" },
  }),
  "a CI's cache": async (_, owner) => ({ kind: "ci", access: (await startCacheService(owner)).access(), maxBytes: 1e9 }),
};

/** Throws an AssertionError at the first build that is not as it should be. */
export async function crash({ count, seed, say }: CrashOptions): Promise<readonly CrashCount[]> {
  const folder = mkdtempSync(join(tmpdir(), "slipway-crash-"));
  const random = openRandom(seed);
  try {
    const program = await bundleProgram(new URL("building-program.ts", import.meta.url), folder);
    const start = (store: CacheStore | null, main: number) => startBuild([program, JSON.stringify(store), String(main)], folder);
    const due: string[] = [];
    for (let main = 0; main < mains; main++) due.push((await (await start(null, main)).ended).digest);
    const counts: CrashCount[] = [];
    for (const [kind, open] of Object.entries(kinds)) {
      const wanted = Math.ceil(count / Object.keys(kinds).length);
      let [kills, late] = [0, 0];
      while (kills < wanted) {
        const cleanUps: (() => unknown)[] = [];
        const place = mkdtempSync(join(folder, "place-"));
        const store = await open(place, { after: (work) => cleanUps.push(work as () => unknown) });
        try {
          const done = await crashOne({ start: (main) => start(store, main), due, random });
          kills += done.kills;
          late += done.late;
        } finally {
          for (const work of cleanUps.toReversed()) await work();
          rmSync(place, { recursive: true, force: true });
        }
      }
      say(`${kind}: ${kills} builds killed, ${late} had ended before`);
      counts.push({ kind, kills, late });
    }
    return counts;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface CrashTools {
  start(main: number): Promise<RunningBuild>;
  /** Digests of the images. */
  readonly due: readonly string[];
  readonly random: Random;
}

/** One store, from empty on. */
async function crashOne({ start, due, random }: CrashTools): Promise<Pick<CrashCount, "kills" | "late">> {
  let [kills, late] = [0, 0];
  const check = (main: number, { digest, warnings }: Ended) => assert.deepEqual({ digest, warnings }, { digest: due[main], warnings: [] });
  let usualMs = 300;
  for (let main = 0; main < mains; main++) {
    const victim = await start(main);
    // In one of three another build writes the same.
    const sibling = random.int(3) === 0 ? await start(main) : undefined;
    await sleep(random.int(usualMs));
    if (victim.child.exitCode === null) kills += 1;
    else late += 1;
    victim.child.kill("SIGKILL");
    await victim.ended.catch(() => {});
    if (sibling !== undefined) check(main, await sibling.ended);
    const next = await start(main);
    const began = performance.now();
    check(main, await next.ended);
    usualMs = Math.ceil(performance.now() - began);
  }
  // What one build leaves serves the next.
  const whole = await (await start(mains - 1)).ended;
  check(mains - 1, whole);
  assert.ok(
    whole.outcomes.every((outcome) => outcome === "cached"),
    whole.outcomes.join(),
  );
  return { kills, late };
}

interface RunningBuild {
  readonly child: ChildProcess;
  /** Rejects where it is killed. */
  readonly ended: Promise<Ended>;
}

/** Resolves when the build begins. */
async function startBuild(args: readonly string[], folder: string): Promise<RunningBuild> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, TMPDIR: folder } });
  let errors = "";
  child.stderr.on("data", (text) => (errors += text));
  const lines: string[] = [];
  let began = () => {};
  const beginning = new Promise<void>((resolve) => (began = resolve));
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    began();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("close", () => {
      if (lines.length === 2) resolve(JSON.parse(lines[1] ?? "") as Ended);
      else reject(new Error(`A build ended without a result: ${errors}`));
    });
  });
  ended.catch(() => {});
  await Promise.race([beginning, ended]);
  return { child, ended };
}
