// Cleans up in a directory: records that are too many, blobs that no record names, files that killed processes have left.

import { rm } from "node:fs/promises";
import path from "node:path";
import type { Digest } from "../image/digest.ts";
import type { BlobFolder } from "./blob-folder.ts";
import { mapBounded } from "./bounded.ts";
import { listFiles, regularFile } from "./disk.ts";
import { type Candidate, planEviction } from "./eviction.ts";
import type { NamedBlob } from "./record-file.ts";
import type { PruneLimits, PruneResult } from "./store.ts";

/** While others write, a blob that no record names may be about to get one, for so long. */
const graceMs = 60 * 60 * 1000;
const parallelLooks = 16;

export interface Contents<T extends Candidate> {
  readonly usable: readonly T[];
  /** Records that are of no use to anybody. */
  readonly broken: readonly T[];
  /** Blobs that belong to somebody else. */
  readonly foreign: ReadonlySet<Digest>;
}

export interface PruneTools<T extends Candidate> {
  readonly blobs: BlobFolder;
  readonly unfinished: string;
  /** Whether anybody puts records now. */
  isBusy(): Promise<boolean>;
  remove(records: readonly T[]): Promise<void>;
  touch(record: T): Promise<unknown>;
}

export async function pruneFolder<T extends Candidate>(
  contents: Contents<T>,
  limits: PruneLimits,
  tools: PruneTools<T>,
  { scannedAt, signal }: { readonly scannedAt: number; readonly signal?: AbortSignal | undefined },
): Promise<PruneResult> {
  const { usable, broken, foreign } = contents;
  const plan = planEviction(usable, limits, scannedAt);
  const isNew = await openGrace(tools);
  const files = (await tools.blobs.list()).filter(({ digest }) => !foreign.has(digest));
  const unnamed = files.filter(({ digest, usedAt }) => !plan.keptBlobs.has(digest) && !isNew(usedAt));
  const leftovers = await listLeftovers(tools.unfinished, isNew);
  const goners = [...plan.removed, ...broken];
  const total = sum(files) + sum(usable) + sum(broken) + sum(leftovers);
  signal?.throwIfAborted();
  if (!limits.dryRun) {
    // What a clock that was ahead has left would be the newest for years.
    for (const record of plan.kept) if (record.usedAt > scannedAt) await tools.touch(record);
    for (const { digest, usedAt } of files) if (usedAt > scannedAt) await tools.blobs.touch(digest);
    if (goners.length > 0) await tools.remove(goners);
    for (const { place } of leftovers) await rm(place, { force: true });
  }
  const removed: NamedBlob[] = [];
  for (const blob of unnamed) if (limits.dryRun || (await tools.blobs.remove(blob.digest, scannedAt))) removed.push(blob);
  const freedBytes = sum(removed) + sum(goners) + sum(leftovers);
  return {
    removedRecords: goners.length,
    removedBlobs: removed.map(({ digest }) => digest),
    freedBytes,
    keptRecords: plan.kept.length,
    keptBytes: total - freedBytes,
  };
}

/** Removes what processes that were killed have left. */
export async function sweepLeftovers(tools: Pick<PruneTools<never>, "isBusy" | "unfinished">): Promise<void> {
  for (const { place } of await listLeftovers(tools.unfinished, await openGrace(tools))) await rm(place, { force: true });
}

/** Tells whether what was written at a time may still get its name. */
async function openGrace(tools: Pick<PruneTools<never>, "isBusy">): Promise<(writtenAt: number) => boolean> {
  const isBusy = await tools.isBusy();
  return (writtenAt) => isBusy && Date.now() - writtenAt < graceMs;
}

async function listLeftovers(unfinished: string, isNew: (writtenAt: number) => boolean) {
  const found = await mapBounded(await listFiles(unfinished), parallelLooks, async (name) => {
    const place = path.join(unfinished, name);
    const file = await regularFile(place);
    return file === undefined || isNew(file.mtimeMs) ? [] : [{ place, size: file.size }];
  });
  return found.flat();
}

function sum(items: readonly { readonly size: number }[]): number {
  return items.reduce((total, { size }) => total + size, 0);
}
