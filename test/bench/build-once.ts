// One build by one tool: a fresh disk and a registry of its own, measured.

import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { startLocalRegistry } from "../support/local-registry.ts";
import { startDelayProxy } from "./delay-proxy.ts";
import { makeDisk } from "./disk.ts";
import { measure } from "./measure.ts";
import type { Attempt, BuildResult } from "./results.ts";
import { countSequential } from "./round-trips.ts";
import { copyStorage } from "./storage.ts";
import type { BuildTask, Tool } from "./tools.ts";
import { countLayerBytes } from "./transfer.ts";

export interface Bench {
  /** Where disks are made, on the file system that is there. */
  readonly work: string;
  /** A directory for contexts and registries. */
  readonly shared: string;
  readonly mayMount: boolean;
  /** Of the registry, in all builds: it is part of what caches know images by. */
  readonly port: number;
  readonly timeoutMs: number;
}

export interface Order extends Pick<BuildTask, "context" | "destination" | "cache"> {
  /** Milliseconds added to every round trip. */
  readonly delay: number;
  /** What the registry holds: the folder of another one's files. */
  readonly from: string;
  /** Where to put what it holds afterwards. */
  readonly keep?: string;
}

/** Throws with the end of the tool's log where it fails. */
export async function buildOnce(tool: Tool, order: Order, bench: Bench): Promise<Omit<BuildResult, keyof Attempt>> {
  const { context, destination, cache, delay, from, keep } = order;
  const disk = makeDisk(bench.work, bench.mayMount);
  try {
    const folder = mkdtempSync(join(bench.shared, "registry-"));
    copyStorage(from, join(folder, "storage"));
    await using registry = await startLocalRegistry(folder, delay > 0 ? {} : { port: bench.port });
    const proxy = delay > 0 ? await startDelayProxy(bench.port, Number(registry.host.split(":")[1]), delay) : undefined;
    // What an earlier build left to be written must not be paid for by this one.
    execFileSync("sync");
    const load = loadavg()[0] ?? 0;
    const command = tool.command({ context, host: `127.0.0.1:${bench.port}`, destination, cache, state: disk.path });
    const env = { PATH: process.env.PATH, HOME: disk.path, TMPDIR: disk.path };
    const { exitCode, log, ...measures } = await measure(command, { cwd: disk.path, env, timeoutMs: bench.timeoutMs, ...tool.measured });
    const turns = await proxy?.end();
    if (exitCode !== 0) throw new Error(`${tool.name} ended with ${exitCode}: ${log.trim().slice(-3000)}`);
    // The registry logs a request a moment after it answered.
    await setTimeout(200);
    if (keep !== undefined) copyStorage(join(folder, "storage"), keep);
    const counts = turns === undefined ? {} : { requests: turns.length, roundTrips: countSequential(turns) };
    return { ...measures, ...countLayerBytes(registry.requests(), registry), ...counts, load };
  } finally {
    disk.remove();
  }
}
