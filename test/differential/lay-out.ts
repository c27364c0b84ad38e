// Lays a program's context out on disk.

import { execFileSync } from "node:child_process";
import { chmodSync, linkSync, lutimesSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ContextFile } from "./program.ts";
import { compressArchive, writeArchive } from "./tar.ts";

/** Of whatever the program says no time for. */
const usualTime = 1_600_000_000;

/** Directories that nothing names are made 0755 on the way. */
export function layOutContext(files: readonly ContextFile[], context: string): void {
  mkdirSync(context, { recursive: true });
  const made = new Set<string>([context]);
  for (const file of files) {
    const path = join(context, file.path);
    makeParents(dirname(path), made);
    switch (file.kind) {
      case "directory":
        if (!made.has(path)) mkdirSync(path);
        made.add(path);
        break;
      case "file":
        writeFileSync(path, file.text);
        break;
      case "symlink":
        symlinkSync(file.target, path);
        break;
      case "hardlink":
        linkSync(join(context, file.target), path);
        break;
      case "fifo":
        execFileSync("mkfifo", [path]);
        break;
      case "archive":
        writeFileSync(path, compressArchive(writeArchive(file.members), file.compression));
    }
  }
  for (const path of made) {
    chmodSync(path, 0o755);
    utimesSync(path, usualTime, usualTime);
  }
  for (const file of files.toReversed()) finish(file, join(context, file.path));
}

function makeParents(path: string, made: Set<string>): void {
  if (made.has(path)) return;
  makeParents(dirname(path), made);
  mkdirSync(path);
  made.add(path);
}

/** Modes and times, when nothing more is written. */
function finish(file: ContextFile, path: string): void {
  if (file.kind === "hardlink") return;
  if (file.kind === "archive") {
    chmodSync(path, 0o644);
    utimesSync(path, usualTime, usualTime);
    return;
  }
  if (file.kind !== "symlink") chmodSync(path, file.mode);
  lutimesSync(path, file.time, file.time);
}
