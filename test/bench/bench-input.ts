// One input's builds: its context, the registries that each tool's cache was filled in, and the builds that are measured.

import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
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
import type { Tool } from "./tools.ts";
import { countLayerBytes } from "./transfer.ts";

export interface Bench {
  /** Where disks are made, on the file system that is there. */
  readonly work: string;
  /** A directory for contexts and registries. */
  readonly shared: string;
  readonly mayMount: boolean;
  /** Of the registry, in all builds: it is part of what caches know images by. */
  readonly port: number;
  /** What a registry holds that holds the base alone. */
  readonly base: string;
  readonly timeoutMs: number;
}

type Order = Omit<Attempt, "run" | "tool">;

export interface InputBuilds extends Disposable {
  build(tool: Tool, attempt: Attempt): Promise<BuildResult>;
}

export function openInput(context: string, bench: Bench): InputBuilds {
  const filled = new Map<Tool, Promise<string>>();
  const folders: string[] = [];

  /** Builds once, and keeps what the registry then holds. */
  async function fill(tool: Tool, order: Order): Promise<string> {
    const kept = mkdtempSync(join(bench.shared, "filled-"));
    folders.push(kept);
    await buildOnce(tool, { ...order, case: "hit", delay: 0 }, { from: bench.base, keep: join(kept, "storage"), tag: "earlier" });
    return join(kept, "storage");
  }

  async function buildOnce(tool: Tool, order: Order, { from, keep, tag }: { from: string; keep?: string; tag: string }) {
    const disk = makeDisk(bench.work, bench.mayMount);
    try {
      const folder = mkdtempSync(join(bench.shared, "registry-"));
      copyStorage(from, join(folder, "storage"));
      const delayed = order.delay > 0;
      await using registry = await startLocalRegistry(folder, delayed ? {} : { port: bench.port });
      const proxy = delayed ? await startDelayProxy(bench.port, Number(registry.host.split(":")[1]), order.delay) : undefined;
      // What an earlier build left to be written must not be paid for by this one.
      execFileSync("sync");
      const load = loadavg()[0] ?? 0;
      const cache = order.case === "cold" ? undefined : `cache/${order.input}`;
      const destination = `app/${order.input}:${tag}`;
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

  return {
    async build(tool, attempt) {
      if (attempt.case === "cold") return { ...attempt, ...(await buildOnce(tool, attempt, { from: bench.base, tag: "now" })) };
      const storage = filled.get(tool) ?? fill(tool, attempt);
      filled.set(tool, storage);
      const from = await storage;
      using _ = attempt.case === "edit" ? edit(context) : undefined;
      return { ...attempt, ...(await buildOnce(tool, attempt, { from, tag: "now" })) };
    },
    [Symbol.dispose]() {
      for (const folder of [...folders, context]) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Appends a line to the file that the input's `edit` names; undone when it is disposed of. */
function edit(context: string): Disposable {
  const list = join(context, "edit");
  const file = join(context, existsSync(list) ? readFileSync(list, "utf8").trim() : "Dockerfile");
  const [before, { atime, mtime }] = [readFileSync(file), statSync(file)];
  appendFileSync(file, "edited\n");
  return {
    [Symbol.dispose]() {
      writeFileSync(file, before);
      utimesSync(file, atime, mtime);
    },
  };
}
