// Finds out where the program runs and speaks that place's language: today a command line everywhere.

import { type Core, runShell } from "./shell.ts";
import { ownProcess, type Surroundings } from "./surroundings.ts";

/** Where requests come from and results go to. */
export interface Host {
  /** Reads the request, lets the core do what it asks for, shows what happens; gives the exit code. */
  run(core: Core): Promise<number>;
}

export function findHost(surroundings: Surroundings = ownProcess()): Host {
  return { run: (core) => runShell(core, surroundings) };
}
