// A place to measure in: disks, a port, and a registry's files with the base image.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { pushRootFileSystem, startLocalRegistry } from "../support/local-registry.ts";
import type { Bench } from "./build-once.ts";
import { makeDisk } from "./disk.ts";
import { isInside } from "./namespaces.ts";
import { findFreePort } from "./ports.ts";
import { copyStorage } from "./storage.ts";

export interface OpenBench extends Bench, Disposable {
  /** What a registry holds that holds the base alone. */
  readonly base: string;
}

/** `data` holds the script that makes the base; all else lies below `place`. */
export async function openBench({ place, data, timeoutMs }: { place: string; data: string; timeoutMs: number }): Promise<OpenBench> {
  const archive = makeBase(data);
  const work = mkdtempSync(join(place, "slipway-bench-"));
  const mayMount = isInside();
  if (!mayMount) console.error("Not root, or without namespaces: states lie in directories of a file system that others have used");
  const disk = makeDisk(work, mayMount);
  const remove = () => {
    disk.remove();
    rmSync(work, { recursive: true, force: true });
  };
  try {
    const base = await storeBase(archive, disk.path);
    return { work, shared: disk.path, mayMount, port: await findFreePort(), timeoutMs, base, [Symbol.dispose]: remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function makeBase(data: string): string {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "slipway-bench");
  const base = join(cache, "debian-bookworm.tar.gz");
  if (existsSync(base)) return base;
  mkdirSync(cache, { recursive: true });
  console.error("Making the base with mmdebstrap, once");
  execFileSync(join(data, "make-base"), [`${base}.part`], { stdio: ["ignore", "ignore", "inherit"] });
  renameSync(`${base}.part`, base);
  return base;
}

/** A registry's folder that holds the base alone. */
async function storeBase(archive: string, shared: string): Promise<string> {
  const [folder, stored] = [join(shared, "base-registry"), join(shared, "base")];
  mkdirSync(folder);
  await using registry = await startLocalRegistry(folder);
  await pushRootFileSystem(registry.host, archive, ["base/debian:bookworm"]);
  copyStorage(join(folder, "storage"), stored);
  return stored;
}
