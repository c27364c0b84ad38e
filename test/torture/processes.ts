// The processes of one build, found by their parents and by what they hold on to, never by name.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export type Victim = "builder" | "helper" | "step";

interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Whether it is the helper's program, which is also a command's first process until that is executed. */
  readonly isHelper: boolean;
}

/** What runs below the builder: the helper's processes, or those of its commands. */
export function findVictims(builder: number, victim: Victim): number[] {
  if (victim === "builder") return [builder];
  const all = listProcesses();
  const below = new Set([builder]);
  for (let size = 0; size < below.size; ) {
    size = below.size;
    for (const { pid, parent } of all) if (below.has(parent)) below.add(pid);
  }
  const helpers = new Set(all.filter(({ pid, isHelper }) => isHelper && below.has(pid)).map(({ pid }) => pid));
  if (victim === "helper") return [...helpers];
  // The builder has children of its own, rm for one, which are nobody's step.
  const steps = new Set<number>();
  for (let size = -1; size < steps.size; ) {
    size = steps.size;
    for (const { pid, parent, isHelper } of all) if (!isHelper && (helpers.has(parent) || steps.has(parent))) steps.add(pid);
  }
  return [...steps];
}

function listProcesses(): Process[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // The name before it may hold anything.
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === "Z") return [];
      return [{ pid: Number(name), parent: Number(parent), isHelper: readlinkSync(`/proc/${name}/exe`).includes("/slipway-helper-") }];
    } catch {
      return []; // it has ended meanwhile, or is the kernel's
    }
  });
}
