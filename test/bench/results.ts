// Results of builds in a file, so that an interrupted run goes on where it was.

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Kind } from "./goals.ts";
import type { Measures } from "./measure.ts";
import type { Transferred } from "./transfer.ts";

export interface Attempt extends Kind {
  readonly tool: string;
  /** From 1. */
  readonly run: number;
}

export interface BuildResult extends Attempt, Omit<Measures, "log" | "exitCode">, Transferred {
  /** Requests that were answered, and the longest chain of them; undefined where nothing counted them. */
  readonly requests?: number;
  readonly roundTrips?: number;
  /** Processes that wanted to run on the machine in the last minute, before the build: what else was going on. */
  readonly load: number;
}

export interface FailedResult extends Attempt {
  readonly failure: string;
}

export interface Results {
  /** What was measured on, a line each. */
  machine: readonly string[];
  /** Versions by name. */
  tools: Readonly<Record<string, string>>;
  builds: BuildResult[];
  failures: FailedResult[];
}

export const noResults = (): Results => ({ machine: [], tools: {}, builds: [], failures: [] });

export function loadResults(file: string): Results {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : noResults();
}

export function saveResults(file: string, results: Results): void {
  writeFileSync(`${file}.part`, `${JSON.stringify(results, undefined, 1)}\n`);
  renameSync(`${file}.part`, file);
}

export const isSame = (a: Attempt, b: Attempt): boolean =>
  a.tool === b.tool && a.input === b.input && a.case === b.case && a.delay === b.delay && a.run === b.run;
