// Tests that need root: skipped for other users, but never in CI; and what such tests leave on the machine.

import { readdirSync, readFileSync } from "node:fs";
import type { TestContext } from "node:test";

export function needsRoot(test: TestContext): boolean {
  if (process.geteuid?.() === 0 || process.env.SLIPWAY_TEST_RUNG !== undefined) return true;
  if (process.env.CI) throw new Error("These tests must be run as root");
  test.skip("it needs root");
  return false;
}

/** Command lines of this machine's processes that have an argument like this. */
export function processesNaming(pattern: string): string[] {
  const wanted = new RegExp(`\\0${pattern}\\0`);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(commandLine)
    .filter((line) => wanted.test(line));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // it has ended meanwhile
  }
}
