// Namespaces of the benchmark's own: what it mounts and starts is gone when it ends, however it ends.

import { spawnSync } from "node:child_process";

const mark = "SLIPWAY_BENCH_INSIDE";

/** Whether file systems may be mounted: this process has its own mount namespace. */
export const isInside = (): boolean => process.env[mark] !== undefined;

/** Runs this very command in namespaces, to its end; undefined where it may not, or is inside already. Gives the exit code. */
export function runInside(): number | undefined {
  if (isInside() || process.getuid?.() !== 0) return undefined;
  const space = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"];
  if (spawnSync("unshare", [...space, "true"]).status !== 0) return undefined;
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  return spawnSync("unshare", [...space, ...command], { stdio: "inherit", env: { ...process.env, [mark]: "1" } }).status ?? 1;
}
