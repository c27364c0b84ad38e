// Records and blobs in a directory: a volume, or what a CI carries from job to job. Several builds may use it at once.

import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { Report } from "../report/report.ts";
import { openBlobFolder } from "./blob-folder.ts";
import { mapBounded } from "./bounded.ts";
import { directoryExists, diskFailure, isReadOnly, listFiles, regularFile, removeFile, touch, writeWhole } from "./disk.ts";
import type { Candidate } from "./eviction.ts";
import { openPassedOver } from "./pass-over.ts";
import { type Contents, type PruneTools, pruneFolder, sweepLeftovers } from "./prune-folder.ts";
import { decodeRecordFile, encodeRecordFile, type KeptRecord, recordFileLimit } from "./record-file.ts";
import type { Key, PruneLimits, PruneResult, Store } from "./store.ts";
import { openWriters } from "./writers.ts";

const parallelReads = 16;

/**
 * A store below `directory`, which need not be there yet. Whatever it holds appears by a rename, so that a process may be killed at any
 * time. `maxBytes` is seen to when the store is closed.
 */
export function openDirectoryStore(
  directory: string,
  tools: { readonly report: Pick<Report, "emit">; readonly maxBytes?: number | undefined },
): Store {
  const { report, maxBytes } = tools;
  const name = `directory ${directory}`;
  const root = path.join(directory, "v1");
  const records = path.join(root, "records");
  const unfinished = path.join(root, "unfinished");
  const blobs = openBlobFolder(path.join(root, "blobs"), unfinished);
  const writers = openWriters(path.join(root, "writers"));
  const recordPath = (key: Key) => path.join(records, key);
  let puts = 0;

  /** Undefined where there is none; throws where it is of no use. */
  async function readRecord(key: Key): Promise<(KeptRecord & { readonly size: number; readonly usedAt: number }) | undefined> {
    const file = await regularFile(recordPath(key));
    if (file === undefined) return undefined;
    if (file.size > recordFileLimit) throw new Error("it is no record");
    const record = decodeRecordFile(await readFile(recordPath(key)), key);
    for (const blob of record.blobs) if (!(await blobs.has(blob))) throw new Error(`it needs ${blob.digest}, which is gone or cut short`);
    return { ...record, size: file.size, usedAt: file.mtimeMs };
  }

  async function scan(): Promise<Contents<Candidate>> {
    const keys = (await listFiles(records)).filter((file) => /^[0-9a-f]{64}$/.test(file));
    const usable: Candidate[] = [];
    const broken: Candidate[] = [];
    await mapBounded(keys, parallelReads, async (key) => {
      const size = (await regularFile(recordPath(key)))?.size ?? 0;
      try {
        const record = await readRecord(key);
        if (record !== undefined) usable.push({ ...record, key, documents: [] });
      } catch (error) {
        if (error instanceof Error && "syscall" in error) throw error;
        broken.push({ key, size, usedAt: 0, blobs: [], documents: [] });
      }
    });
    return { usable, broken, foreign: new Set() };
  }

  const pruneTools: PruneTools<Candidate> = {
    blobs,
    unfinished,
    isBusy: async () => puts > 0 || (await writers.othersWrite()),
    async remove(goners) {
      for (const { key } of goners) await removeFile(recordPath(key));
    },
    touch: ({ key }) => touch(recordPath(key)),
  };

  async function prune(limits: PruneLimits, signal?: AbortSignal): Promise<PruneResult> {
    signal?.throwIfAborted();
    const scannedAt = Date.now();
    return pruneFolder(await scan(), limits, pruneTools, { scannedAt, signal });
  }

  return {
    name,
    async find(keys, signal) {
      try {
        if (!(await directoryExists(directory)) || !(await directoryExists(records))) return new Map();
      } catch (error) {
        throw diskFailure(`look into the cache in ${name}`, error);
      }
      const passedOver = openPassedOver(name, report);
      const found = await mapBounded(keys, parallelReads, async (key) => {
        signal?.throwIfAborted();
        try {
          const record = await readRecord(key);
          if (record === undefined) return [];
          // A store that cannot be written to is read all the same.
          await touch(recordPath(key));
          return [[key, record.bytes] as const];
        } catch (error) {
          signal?.throwIfAborted();
          passedOver.add(key, error);
          return [];
        }
      });
      passedOver.tell();
      return new Map(found.flat());
    },
    read: (blob, signal) => blobs.read(blob, signal),
    async put(record, signal) {
      const bytes = encodeRecordFile(record);
      puts += 1;
      try {
        for (const folder of [records, unfinished]) await mkdir(folder, { recursive: true });
        await writers.enter();
        for (const blob of record.blobs) await blobs.put(blob, signal);
        signal?.throwIfAborted();
        await writeWhole(recordPath(record.key), bytes, unfinished);
        // Somebody who cleaned up just now may have taken what nobody named until now.
        for (const blob of record.blobs) await blobs.put(blob, signal);
      } catch (error) {
        signal?.throwIfAborted();
        throw diskFailure(`keep a record in ${name}`, error);
      } finally {
        puts -= 1;
      }
    },
    async prune(limits, signal) {
      try {
        return await prune(limits, signal);
      } catch (error) {
        signal?.throwIfAborted();
        throw diskFailure(`prune ${name}`, error);
      }
    },
    async close() {
      await writers.leave();
      try {
        if (maxBytes !== undefined) await prune({ maxBytes, dryRun: false });
        else await sweepLeftovers(pruneTools);
      } catch (error) {
        if (!isReadOnly(error)) throw diskFailure(`prune ${name}`, error);
      }
    },
  };
}
