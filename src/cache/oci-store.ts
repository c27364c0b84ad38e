// Records and blobs in an image layout, https://github.com/opencontainers/image-spec/blob/main/image-layout.md, which others may use too.

import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { type Digest, hexOf } from "../image/digest.ts";
import type { EncodedBlob } from "../image/encode.ts";
import type { Report } from "../report/report.ts";
import { openBlobFolder } from "./blob-folder.ts";
import { mapBounded } from "./bounded.ts";
import { codeOf, directoryExists, diskFailure, isReadOnly, regularFile, writeWhole } from "./disk.ts";
import type { Candidate } from "./eviction.ts";
import { withLock } from "./lock.ts";
import { decodeIndex, emptyIndex, encodeIndex, namedIn, type OciIndex, tryDescriptor } from "./oci-index.ts";
import { openPassedOver } from "./pass-over.ts";
import { type Contents, type PruneTools, pruneFolder, sweepLeftovers } from "./prune-folder.ts";
import type { NamedBlob } from "./record-file.ts";
import { decodeRecordManifest, encodeRecordManifest, type FoundManifest } from "./record-manifest.ts";
import type { CacheBlob, Key, PruneLimits, PruneResult, Store } from "./store.ts";
import { openWriters } from "./writers.ts";

const parallelReads = 16;
/** The distribution specification's for manifests. */
const documentLimit = 4 * 1024 * 1024;
/** An index of manifests may hold further ones. */
const deepest = 4;

/** A store in the layout `directory`, which need not be there yet. Its own files, but for the layout's, lie in `.slipway`. */
export function openOciStore(directory: string, tools: { readonly report: Pick<Report, "emit"> }): Store {
  const { report } = tools;
  const name = `image layout ${directory}`;
  const own = path.join(directory, ".slipway");
  const unfinished = path.join(own, "unfinished");
  const indexFile = path.join(directory, "index.json");
  const blobFolder = path.join(directory, "blobs", "sha256");
  const blobs = openBlobFolder(blobFolder, unfinished);
  const writers = openWriters(path.join(own, "writers"));
  let puts = 0;
  let isTold = false;
  let writing: Promise<unknown> = Promise.resolve();
  let next: { readonly entries: Map<Key, NamedBlob>; readonly done: Promise<void> } | undefined;

  async function readIndex(): Promise<OciIndex> {
    try {
      return decodeIndex(await readFile(indexFile, "utf8"));
    } catch (error) {
      if (codeOf(error) === "ENOENT") return emptyIndex;
      if (!(error instanceof SyntaxError)) throw error instanceof Error && codeOf(error) === undefined ? foreign(error) : error;
      // Nobody can read it any more; what is put next begins a new one.
      if (!isTold) report.emit({ kind: "warning", text: `The cache in ${name} starts anew: its index.json is damaged` });
      isTold = true;
      return emptyIndex;
    }
  }

  const foreign = (cause: Error) => new Error(`Cannot use ${name}: "${indexFile}": ${cause.message}`, { cause });

  async function changeIndex(change: (records: Map<Key, NamedBlob>) => void): Promise<void> {
    await mkdir(unfinished, { recursive: true });
    await withLock(path.join(own, "lock"), async (isHeld) => {
      const index = await readIndex();
      const records = new Map(index.records);
      change(records);
      const layout = path.join(directory, "oci-layout");
      if ((await regularFile(layout)) === undefined) await writeWhole(layout, Buffer.from('{"imageLayoutVersion":"1.0.0"}'), unfinished);
      if (!(await isHeld())) throw new Error(`"${path.join(own, "lock")}" was taken away`);
      await writeWhole(indexFile, encodeIndex({ ...index, records }), unfinished);
    });
  }

  /** What is put while the index is being written goes into the next one together. */
  function enlist(key: Key, manifest: NamedBlob): Promise<void> {
    if (next === undefined) {
      const entries = new Map<Key, NamedBlob>();
      const done = writing.then(() => {
        next = undefined;
        return changeIndex((records) => {
          for (const [entry, value] of entries) records.set(entry, value);
        });
      });
      writing = done.catch(() => {});
      next = { entries, done };
    }
    next.entries.set(key, manifest);
    return next.done;
  }

  async function readDocument(blob: NamedBlob, signal?: AbortSignal): Promise<Buffer> {
    if (blob.size > documentLimit) throw new Error("it is no record");
    const chunks: Uint8Array[] = [];
    for await (const chunk of blobs.read(blob, signal)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async function readRecord(key: Key, manifest: NamedBlob, signal?: AbortSignal): Promise<FoundManifest> {
    const record = decodeRecordManifest(await readDocument(manifest, signal), key);
    for (const blob of record.blobs) if (!(await blobs.has(blob))) throw new Error(`it needs ${blob.digest}, which is gone or cut short`);
    return record;
  }

  /** Everything that the entries of others lead to. */
  async function reach(blob: NamedBlob, seen: Set<Digest>, depth: number): Promise<void> {
    if (seen.has(blob.digest)) return;
    seen.add(blob.digest);
    if (depth === 0 || blob.size > documentLimit || !(await blobs.has(blob))) return;
    for (const named of namedIn(await readFile(path.join(blobFolder, hexOf(blob.digest))))) await reach(named, seen, depth - 1);
  }

  async function scan(signal: AbortSignal | undefined): Promise<Contents<Candidate>> {
    const { records, others } = await readIndex();
    const [usable, broken]: [Candidate[], Candidate[]] = [[], []];
    await mapBounded([...records], parallelReads, async ([key, manifest]) => {
      try {
        const record = await readRecord(key, manifest, signal);
        const usedAt = (await regularFile(path.join(blobFolder, hexOf(manifest.digest))))?.mtimeMs ?? 0;
        usable.push({ key, size: 0, usedAt, blobs: record.blobs, documents: [manifest, ...record.named] });
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof Error && "syscall" in error) throw error;
        broken.push({ key, size: 0, usedAt: 0, blobs: [], documents: [] });
      }
    });
    const foreign = new Set<Digest>();
    for (const item of others.flatMap(tryDescriptor)) await reach(item, foreign, deepest);
    return { usable, broken, foreign };
  }

  const pruneTools: PruneTools<Candidate> = {
    blobs,
    unfinished,
    isBusy: async () => puts > 0 || (await writers.othersWrite()),
    remove: (goners) =>
      changeIndex((records) => {
        for (const { key } of goners) records.delete(key);
      }),
    touch: async ({ documents: [manifest] }) => manifest !== undefined && blobs.touch(manifest.digest),
  };

  async function prune(limits: PruneLimits, signal: AbortSignal | undefined): Promise<PruneResult> {
    signal?.throwIfAborted();
    const scannedAt = Date.now();
    return pruneFolder(await scan(signal), limits, pruneTools, { scannedAt, signal });
  }

  return {
    name,
    async find(keys, signal) {
      signal?.throwIfAborted();
      let records: ReadonlyMap<Key, NamedBlob>;
      try {
        if (!(await directoryExists(directory))) return new Map();
        ({ records } = await readIndex());
      } catch (error) {
        throw diskFailure(`look into the cache in ${name}`, error);
      }
      const passedOver = openPassedOver(name, report);
      const found = await mapBounded(keys, parallelReads, async (key) => {
        const manifest = records.get(key);
        if (manifest === undefined) return [];
        try {
          const { bytes } = await readRecord(key, manifest, signal);
          await blobs.touch(manifest.digest);
          return [[key, bytes] as const];
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
      signal?.throwIfAborted();
      const { manifest, documents } = encodeRecordManifest(record, Date.now());
      const all = [...record.blobs, ...[...documents, manifest].map(blobOf)];
      puts += 1;
      try {
        await writers.enter();
        for (const blob of all) await blobs.put(blob, signal);
        await enlist(record.key, manifest.descriptor);
        // Somebody who cleaned up just now may have taken what nobody named until now.
        for (const blob of all) await blobs.put(blob, signal);
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
      await sweepLeftovers(pruneTools).catch((error: unknown) => {
        if (!isReadOnly(error)) throw diskFailure(`clean up in ${name}`, error);
      });
    },
  };
}

function blobOf({ descriptor, bytes }: EncodedBlob): CacheBlob {
  return {
    descriptor,
    async *open() {
      yield bytes;
    },
  };
}
