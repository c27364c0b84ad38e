// Kills builders, helpers and steps at random moments, in each sandbox: nothing of the build is left, and the next one gives the same image.

import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openRandom, type Random } from "../differential/random.ts";
import { findProcesses } from "../end-to-end/program.ts";
import { bundleProgram } from "../support/bundle.ts";
import { type Ended, openPlace, type Place, type Rung } from "./place.ts";
import { findVictims, type Victim } from "./processes.ts";

export const rungs = ["ns", "userns", "chroot", "userns-single", "chroot-bare"] as const;
const victims = ["builder", "helper", "step"] as const;

export interface TortureOptions {
  /** Over all sandboxes and victims, which take turns. */
  readonly count: number;
  readonly seed: number;
  readonly rungs: readonly Rung[];
  say(line: string): void;
}

export interface Tortured {
  readonly rung: Rung;
  readonly victim: Victim;
  kills: number;
  /** Builds that came to their image all the same. */
  finished: number;
  /** Kills after which processes were left, where nothing but the helper ends them. */
  leftovers: number;
  /** Kills after which directories were left in the state directory that the next build did not remove. */
  unswept: number;
  /** The longest until all processes of a build that failed were gone, in milliseconds. */
  slowestMs: number;
  /** Violations, with all that repeats them. */
  readonly wrong: string[];
}

/** What docs/sandbox.md promises. */
const patienceMs = 5000;
/** Builds after a kill find what earlier ones have left; then another state directory is begun. */
const killsOfPlace = 4;

/** Sandboxes that do not work here are said and left out. */
export async function torture({ count, seed, rungs, say }: TortureOptions): Promise<readonly Tortured[]> {
  const folder = mkdtempSync(join(tmpdir(), "slipway-torture-"));
  chmodSync(folder, 0o755);
  const random = openRandom(seed);
  try {
    const program = await bundleProgram(new URL("../../src/main.ts", import.meta.url), folder);
    const benches: Bench[] = [];
    for (const rung of rungs) {
      const bench = new Bench(rung, () => openPlace(rung, program, folder));
      if (await bench.begin(say)) benches.push(bench);
    }
    assert.equal(new Set(benches.map(({ due }) => due)).size, Math.min(benches.length, 1), "the sandboxes give images that differ");
    for (let kill = 0; kill < count && benches.length > 0; kill++) {
      const bench = benches[kill % benches.length] as Bench;
      const tortured = bench.rows[Math.floor(kill / benches.length) % victims.length] as Tortured;
      await bench.kill(tortured, random, `--seed ${seed}, kill ${kill + 1}`);
    }
    return benches.flatMap(({ rows }) => rows);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One sandbox, with a place that lasts for a few kills. */
class Bench {
  readonly rows: readonly Tortured[];
  due = "";
  readonly #rung: Rung;
  readonly #open: () => Promise<Place>;
  #place: Place | undefined;
  #kills = 0;
  #usualMs = 0;

  constructor(rung: Rung, open: () => Promise<Place>) {
    this.#rung = rung;
    this.#open = open;
    this.rows = victims.map((victim) => ({ rung, victim, kills: 0, finished: 0, leftovers: 0, unswept: 0, slowestMs: 0, wrong: [] }));
  }

  /** Learns which image is due; false where the sandbox does not work here. */
  async begin(say: (line: string) => void): Promise<boolean> {
    const place = await this.#open();
    const { child, ended } = place.start();
    let isSeen = false;
    for (; child.exitCode === null && child.signalCode === null; await sleep(5)) {
      const steps = findVictims(child.pid ?? 0, "step");
      if (isSeen || steps.length === 0) continue;
      const found = findProcesses(place.directory, place.directory);
      isSeen = steps.some((pid) => found.some((line) => line.startsWith(`${pid} `)));
    }
    const { code, err, digest = "", ms } = await ended;
    place.remove();
    const refusal = /Cannot use the sandbox .*/.exec(err)?.[0];
    if (refusal !== undefined) say(`${this.#rung} does not work here: ${refusal}`);
    else {
      assert.equal(code, 0, err);
      assert.ok(isSeen, `${this.#rung}: what a step starts cannot be told from the machine's own processes`);
    }
    this.due = digest;
    this.#usualMs = ms;
    return refusal === undefined;
  }

  async kill(tortured: Tortured, random: Random, repeat: string): Promise<void> {
    const place = this.#place ?? (await this.#open());
    const workspace = place.hashWorkspace();
    const known = place.findUnfinished();
    const wrong = (what: string) => tortured.wrong.push(`${this.#rung}, ${tortured.victim}, ${repeat}: ${what}`);
    const { ended, at, ms } = await this.#strike(place, tortured.victim, random);
    tortured.kills += 1;
    if (ended.digest !== undefined) tortured.finished += 1;
    const moment = ` (killed ${at})`;
    const isKilled = tortured.victim === "builder";
    if (ended.digest !== undefined && ended.digest !== this.due) wrong(`the image is another${moment}`);
    if (!isKilled && (ended.code === null || (ended.code === 0) !== (ended.digest !== undefined)))
      wrong(`the build ended with ${ended.code}${moment}: ${ended.err.slice(-500)}`);

    const { left, goneMs } = await awaitEnd(place.directory, patienceMs);
    if (ended.digest === undefined) tortured.slowestMs = Math.max(tortured.slowestMs, ms + goneMs);
    if (left.length > 0) {
      tortured.leftovers += 1;
      if (!mayLeave(this.#rung, tortured.victim)) wrong(`processes are left after ${patienceMs} ms${moment}: ${left.join("; ")}`);
      await endAll(place.directory);
    }
    if (readFileSync("/proc/self/mountinfo", "utf8").includes(place.directory)) wrong(`mounts are left${moment}`);
    const secret = place.findSecret();
    if (secret.length > 0) wrong(`the secret is in ${secret.join(", ")}${moment}`);

    const before = place.findUnfinished();
    const next = await place.start().ended;
    if (next.code !== 0 || next.digest !== this.due)
      wrong(`the next build ended with ${next.code} and ${next.digest}${moment}: ${next.err.slice(-500)}`);
    const after = place.findUnfinished();
    const fresh = after.filter((name) => !before.includes(name));
    if (after.some((name) => !known.includes(name))) tortured.unswept += 1;
    if (fresh.length > 0) wrong(`the next build has left ${fresh.join(", ")}${moment}`);
    if (place.hashWorkspace() !== workspace) wrong(`the workspace is another${moment}`);

    this.#kills += 1;
    this.#place = this.#kills % killsOfPlace === 0 ? undefined : place;
    if (this.#place === undefined) place.remove();
  }

  /** Kills one process of a build that has not ended; `ms` is how long the build then took to end. */
  async #strike(place: Place, victim: Victim, random: Random): Promise<{ ended: Ended; at: string; ms: number }> {
    for (;;) {
      const { child, ended } = place.start();
      const began = performance.now();
      await sleep(random.int(this.#usualMs));
      for (; child.exitCode === null && child.signalCode === null; await sleep(2)) {
        const found = findVictims(child.pid ?? 0, victim);
        if (found.length === 0) continue;
        const at = `${Math.round(performance.now() - began)} ms after the start`;
        const struck = performance.now();
        try {
          process.kill(random.pick(found), "SIGKILL");
        } catch {
          continue; // it has ended meanwhile
        }
        return { ended: await ended, at, ms: performance.now() - struck };
      }
      await ended;
    }
  }
}

/** Where no namespace ends with the helper, what had gone into the background has nobody who would. */
function mayLeave(rung: Rung, victim: Victim): boolean {
  return victim === "helper" && (rung === "chroot" || rung === "chroot-bare");
}

async function awaitEnd(directory: string, ms: number): Promise<{ left: readonly string[]; goneMs: number }> {
  const began = performance.now();
  for (;;) {
    const left = findProcesses(directory, directory);
    const goneMs = performance.now() - began;
    if (left.length === 0 || goneMs > ms) return { left, goneMs };
    await sleep(20);
  }
}

/** Only what has its root below a directory of this very run: others may happen to look into it. */
async function endAll(directory: string): Promise<void> {
  for (const line of findProcesses(directory, directory)) {
    const pid = Number.parseInt(line, 10);
    try {
      if (readlinkSync(`/proc/${pid}/root`).startsWith(directory)) process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
  await awaitEnd(directory, patienceMs);
}
