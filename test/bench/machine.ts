// What the measurements were made on.

import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

export function describeMachine(): string[] {
  const model = cpus()[0]?.model ?? "unknown";
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  return [`${cpus().length} cores, ${model}`, `${(totalmem() / 2 ** 30).toFixed(0)} GiB of memory`, `${system}, Linux ${release()}`];
}
