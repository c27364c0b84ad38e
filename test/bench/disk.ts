// File systems of their own for what builds write: as fresh for the last build as for the first.

import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Disk {
  readonly path: string;
  remove(): void;
}

/** More than any build fills; a file takes up what was written to it. */
const bytes = 40 * 2 ** 30;

/**
 * A directory below `work`: a new ext4 of its own where this process may mount, as one that files were removed from is slow for a while.
 * It is mounted in this process's mount namespace and is gone with it.
 */
export function makeDisk(work: string, mayMount: boolean): Disk {
  const folder = mkdtempSync(join(work, "disk-"));
  const path = join(folder, "files");
  mkdirSync(path);
  if (!mayMount) return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
  const image = join(folder, "image");
  writeFileSync(image, "");
  truncateSync(image, bytes);
  const quiet: ExecFileSyncOptions = { stdio: ["ignore", "ignore", "inherit"] };
  execFileSync("mkfs.ext4", ["-q", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", image], quiet);
  // Nothing of the file system's own goes on in the background.
  execFileSync("mount", ["-o", "loop,noatime,noinit_itable", image, path], quiet);
  rmdirSync(join(path, "lost+found"));
  return {
    path,
    remove() {
      execFileSync("umount", ["--lazy", path], quiet);
      rmSync(image);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
