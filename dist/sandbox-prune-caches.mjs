import {
  Hold,
  content
} from "./shared-9.mjs";
import {
  listDirectory,
  removeTree
} from "./shared-5.mjs";
import "./shared-7.mjs";
import "./shared-1.mjs";

// src/sandbox/prune-caches.ts
var { randomUUID } = process.getBuiltinModule("node:crypto");
var { existsSync, readdirSync, statSync } = process.getBuiltinModule("node:fs");
var { rename } = process.getBuiltinModule("node:fs/promises");
var { join } = process.getBuiltinModule("node:path");
async function pruneCaches(folder, limits, tools) {
  const { unusedFor = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY, dryRun } = limits;
  const slots = below(below(below([folder]))).filter((slot) => existsSync(join(slot, content)));
  const known = slots.map((slot) => ({ slot, usedAt: statSync(slot).mtimeMs })).sort((a, b) => b.usedAt - a.usedAt);
  const pruned = { removedCaches: 0, freedBytes: 0, keptCaches: 0, keptBytes: 0 };
  for (const { slot, usedAt } of known) {
    tools.signal.throwIfAborted();
    const size = await sizeOf(slot, tools);
    const stays = Date.now() - usedAt <= unusedFor * 1e3 && pruned.keptBytes + size <= maxBytes;
    if (!stays && await remove(slot, dryRun, tools)) {
      pruned.removedCaches += 1;
      pruned.freedBytes += size;
    } else {
      pruned.keptCaches += 1;
      pruned.keptBytes += size;
    }
  }
  return pruned;
}
async function remove(slot, dryRun, { helper }) {
  const hold = new Hold(helper);
  try {
    if (!await hold.take(slot, "alone")) return false;
    if (dryRun) return true;
    const gone = join(slot, `gone-${randomUUID()}`);
    await rename(join(slot, content), gone);
    await removeTree(gone);
    return true;
  } finally {
    await hold.close();
  }
}
async function sizeOf(slot, tools) {
  let size = 0;
  for await (const { entry } of listDirectory(join(slot, content), "", tools)) size += entry.size;
  return size;
}
function below(folders) {
  return folders.flatMap(
    (folder) => existsSync(folder) ? readdirSync(folder, { withFileTypes: true }).flatMap((entry) => entry.isDirectory() ? [join(folder, entry.name)] : []) : []
  );
}
export {
  pruneCaches
};
