// Removes what RUN mounted as caches and nobody has used for long, or the least recently used until the rest fits.

import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { listDirectory, removeTree } from "../filesystem/filesystem.ts";
import { type CacheTools, content } from "./caches.ts";
import { Hold } from "./hold.ts";

export interface CacheLimits {
  /** Seconds since the last use. */
  readonly unusedFor?: number;
  /** Of files. */
  readonly maxBytes?: number;
  /** Say what would go, and leave it. */
  readonly dryRun: boolean;
}

export interface PrunedCaches {
  readonly removedCaches: number;
  readonly freedBytes: number;
  readonly keptCaches: number;
  readonly keptBytes: number;
}

/** `folder` is that of a state directory; whatever a build uses now stays. */
export async function pruneCaches(folder: string, limits: CacheLimits, tools: CacheTools): Promise<PrunedCaches> {
  const { unusedFor = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY, dryRun } = limits;
  const slots = below(below(below([folder]))).filter((slot) => existsSync(join(slot, content)));
  const known = slots.map((slot) => ({ slot, usedAt: statSync(slot).mtimeMs })).sort((a, b) => b.usedAt - a.usedAt);
  const pruned = { removedCaches: 0, freedBytes: 0, keptCaches: 0, keptBytes: 0 };
  for (const { slot, usedAt } of known) {
    tools.signal.throwIfAborted();
    const size = await sizeOf(slot, tools);
    const stays = Date.now() - usedAt <= unusedFor * 1000 && pruned.keptBytes + size <= maxBytes;
    if (!stays && (await remove(slot, dryRun, tools))) {
      pruned.removedCaches += 1;
      pruned.freedBytes += size;
    } else {
      pruned.keptCaches += 1;
      pruned.keptBytes += size;
    }
  }
  return pruned;
}

/** False where somebody uses it. */
async function remove(slot: string, dryRun: boolean, { helper }: CacheTools): Promise<boolean> {
  const hold = new Hold(helper);
  try {
    if (!(await hold.take(slot, "alone"))) return false;
    if (dryRun) return true;
    const gone = join(slot, `gone-${randomUUID()}`);
    await rename(join(slot, content), gone);
    await removeTree(gone);
    return true;
  } finally {
    await hold.close();
  }
}

async function sizeOf(slot: string, tools: CacheTools): Promise<number> {
  let size = 0;
  for await (const { entry } of listDirectory(join(slot, content), "", tools)) size += entry.size;
  return size;
}

function below(folders: readonly string[]): readonly string[] {
  return folders.flatMap((folder) =>
    existsSync(folder)
      ? readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [join(folder, entry.name)] : []))
      : [],
  );
}
