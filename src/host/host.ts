// Finds out where the program runs and speaks that place's language: today a command line everywhere.

import { type Build, type Merge, runShell } from "./shell.ts";
import { ownProcess, type Surroundings } from "./surroundings.ts";

/** Where requests come from and results go to. */
export interface Host {
  /** Reads the request, builds or merges, shows what happens; gives the exit code. */
  run(build: Build, merge: Merge): Promise<number>;
}

export function findHost(surroundings: Surroundings = ownProcess()): Host {
  return { run: (build, merge) => runShell(build, merge, surroundings) };
}
