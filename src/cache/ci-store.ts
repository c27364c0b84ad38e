// A store in the cache service of a CI: one entry for all new blobs of a build, and one for the index that says what lies where.

import { type BackOff, type Http, openShared } from "../http/http.ts";
import type { Digest } from "../image/digest.ts";
import { verifyBytes } from "../layer/layer.ts";
import type { Report } from "../report/report.ts";
import { WriteDeniedError } from "./ci-entry.ts";
import { boundIndex, byLastUse, type CiIndex, type IndexedRecord, type Place } from "./ci-index.ts";
import { openIndexes, prefixOf } from "./ci-indexes.ts";
import { sendBlobs } from "./ci-pack.ts";
import { openPacks } from "./ci-packs.ts";
import { type CiAccess, openEntries } from "./ci-service.ts";
import { scopesOf } from "./ci-token.ts";
import { defaultSizes, readEntry, type TransferSizes } from "./ci-transfer.ts";
import { checkRecordSize } from "./record-file.ts";
import { type CacheBlob, type Key, type NewRecord, type Store, worthNoting } from "./store.ts";
import { within } from "./time-limit.ts";

export interface CiStoreOptions {
  readonly access: CiAccess;
  /** What is written under one name is not found under another. */
  readonly scope: string;
  /** Names under which this build looks besides. */
  readonly readScopes: readonly string[];
  /** Of blobs that the index names; what is used least recently is left out of it. */
  readonly maxBytes: number;
}

export interface CiStoreTools {
  readonly http: Http;
  readonly report: Report;
  /** For tests: how patient the store is, in which pieces it works, and what time it is, in milliseconds since 1970. */
  readonly limits?: CiLimits;
  readonly sizes?: TransferSizes;
  readonly backOff?: BackOff;
  readonly now?: () => number;
}

/** Milliseconds: of a look-up, which delays the build, and of all that is written at the end. */
export interface CiLimits {
  readonly askMs: number;
  readonly writeMs: number;
}

const defaultLimits: CiLimits = { askMs: 20_000, writeMs: 600_000 };
const mostRecordBytes = 8 << 20;
const mostPacks = 64;

/** Opens the store; it asks for nothing before it is asked. */
export function openCiStore({ access, scope, readScopes, maxBytes }: CiStoreOptions, tools: CiStoreTools): Store {
  const { http, report, limits = defaultLimits, sizes = defaultSizes, now = Date.now } = tools;
  const patience = tools.backOff === undefined ? {} : { backOff: tools.backOff };
  const name = scope === "" ? "GitHub's cache" : `GitHub's cache "${scope}"`;
  const scopes = /^(none|write-only)$/.test(access.mode ?? "") ? [] : scopesOf(access.token).filter(({ mayRead }) => mayRead);
  // Without reading the newest index, writing would lose what it names.
  const mayWrite = access.mode !== "read" && scopes[0]?.mayWrite === true;
  const entries = openEntries(access, http);
  const sender = { entries, sizes, report, name };
  const packs = openPacks(entries);
  const prefixes = new Set([scope, ...readScopes].flatMap((mine) => scopes.map((of) => prefixOf(mine, of.name))));
  const indexes = [...prefixes].map((prefix) => openIndexes(prefix, { entries, http, report, sizes, ...patience }));
  const [own] = indexes;
  const loaded = openShared<readonly CiIndex[]>();
  const gathered = new Map<Key, NewRecord>();
  const used = new Map<Key, IndexedRecord>();
  const told = new Set<string>();

  function tell(text: string): void {
    if (!told.has(text)) report.emit({ kind: "notice", text });
    told.add(text);
  }

  /** The index that is written, then the others that are read. */
  function load(signal?: AbortSignal): Promise<readonly CiIndex[]> {
    if (indexes.length === 0) tell(`This job may not read ${name}: it is not used`);
    const read = (stop: AbortSignal) =>
      within(limits.askMs, `read ${name}`, stop, (limited) => Promise.all(indexes.map((index) => index.newest(limited))));
    return loaded.get("", read, signal);
  }

  function placeOf(digest: Digest, views: readonly CiIndex[]): Place | undefined {
    return views.map(({ blobs }) => blobs.get(digest)).find((place) => place !== undefined && !packs.isGone(place.pack));
  }

  function placesOf(digests: readonly Digest[], views: readonly CiIndex[]): readonly Place[] {
    return digests.map((digest) => placeOf(digest, views)).filter((place) => place !== undefined);
  }

  async function find(keys: readonly Key[], signal?: AbortSignal): Promise<ReadonlyMap<Key, Uint8Array>> {
    const views = await load(signal);
    const known = (): [Key, IndexedRecord][] =>
      keys.map((key) => [key, recordOf(key, views)] as const).filter((entry): entry is [Key, IndexedRecord] => entry[1] !== undefined);
    const needed = known().flatMap(([, { blobs }]) => placesOf(blobs, views));
    await within(limits.askMs, `read ${name}`, signal, (limited) => packs.check(needed, limited));
    const found = known();
    for (const [key, record] of found) if (views[0]?.records.get(key) === record) used.set(key, record);
    return new Map(found.map(([key, { bytes }]) => [key, bytes]));
  }

  /** With a place for each of its blobs. */
  function recordOf(key: Key, views: readonly CiIndex[]): IndexedRecord | undefined {
    const found = views.map(({ records }) => records.get(key)).filter((record) => record !== undefined);
    return found.find(({ blobs }) => placesOf(blobs, views).length === blobs.length);
  }

  async function* read(
    { digest, size }: { readonly digest: Digest; readonly size: number },
    signal: AbortSignal = new AbortController().signal,
  ): AsyncGenerator<Uint8Array, void, void> {
    const place = placeOf(digest, await load(signal));
    const action = `read blob "${digest}" from ${name}`;
    if (place?.size !== size) throw new Error(`Cannot ${action}: it is not there any more`);
    yield* verifyBytes(readEntry(packs.address(place.pack), place, action, { http, sizes, ...patience }, signal), { digest, size });
  }

  function isWorthAnIndex(): boolean {
    const stale = now() / 1000 - worthNoting;
    return gathered.size > 0 || [...used.values()].some((record) => record.used < stale);
  }

  /** Sends what no entry holds, then the next index. */
  async function save(signal: AbortSignal): Promise<void> {
    if (own === undefined) return;
    const views = [await own.newest(signal), ...(await load(signal)).slice(1)];
    const wanted = [...gathered.values()].flatMap((record) => record.blobs.map(({ descriptor }) => descriptor.digest));
    await packs.check(placesOf(wanted, views), signal);
    for (const [key, { bytes }] of gathered) {
      const known = recordOf(key, views);
      if (known !== undefined && Buffer.compare(known.bytes, bytes) === 0) gathered.delete(key);
    }
    if (!isWorthAnIndex()) return;
    const blobs = new Map([...gathered.values()].flatMap((record) => record.blobs.map((blob) => [blob.descriptor.digest, blob])));
    const places = new Map<Digest, Place>();
    const missing: CacheBlob[] = [];
    for (const [digest, blob] of blobs) {
      const place = placeOf(digest, views);
      if (place?.size === blob.descriptor.size) places.set(digest, place);
      else missing.push(blob);
    }
    if (missing.length > 0) for (const [digest, place] of await sendBlobs(missing, sender, signal)) places.set(digest, place);
    const holds = ({ records }: CiIndex) => [...gathered.keys()].every((key) => records.has(key));
    await own.replace((index) => bound(mergeInto(index, places)), holds, signal);
  }

  function mergeInto({ records, blobs }: CiIndex, places: ReadonlyMap<Digest, Place>): CiIndex {
    const time = Math.floor(now() / 1000);
    const fresh = [...gathered].map(([key, record]): [Key, IndexedRecord] => {
      return [key, { bytes: record.bytes, blobs: record.blobs.map(({ descriptor }) => descriptor.digest), used: time }];
    });
    const old = [...records].map(([key, record]): [Key, IndexedRecord] => [key, used.has(key) ? { ...record, used: time } : record]);
    const alive = [...blobs].filter(([, { pack }]) => !packs.isGone(pack));
    return { records: new Map([...old, ...fresh]), blobs: new Map([...alive, ...places]) };
  }

  function bound(index: CiIndex, most = maxBytes): CiIndex {
    return boundIndex(index, { maxBytes: most, maxRecordBytes: Math.min(mostRecordBytes, most), maxPacks: mostPacks });
  }

  return {
    name,
    find,
    read,
    async put(record, signal) {
      signal?.throwIfAborted();
      checkRecordSize(record.bytes);
      if (mayWrite) gathered.set(record.key, record);
      else tell(`This job may not write to ${name}: nothing is kept there`);
    },
    async prune({ unusedFor, maxBytes: most, dryRun }, signal) {
      if (own === undefined || !mayWrite) throw new Error(`Cannot prune ${name}: this job may not write to it`);
      const since = unusedFor === undefined ? 0 : now() / 1000 - unusedFor;
      const reduce = ({ records, blobs }: CiIndex) => {
        const recent = byLastUse({ records }).filter(([, , used]) => used >= since);
        return bound({ records: new Map(recent.map(([key, record]) => [key, record])), blobs }, most ?? maxBytes);
      };
      return within(limits.writeMs, `prune ${name}`, signal, async (limited) => {
        const before = await own.newest(limited);
        const after = reduce(before);
        const removedRecords = before.records.size - after.records.size;
        if (!dryRun && removedRecords > 0) await own.replace(reduce, () => true, limited);
        tell(`${name} cannot be told to remove bytes: the service removes what is not asked for within a week`);
        const keptBytes = [...after.blobs.values()].reduce((sum, { size }) => sum + size, 0);
        return { removedRecords, removedBlobs: [], freedBytes: 0, keptRecords: after.records.size, keptBytes };
      });
    },
    async close(signal) {
      if (!mayWrite || !isWorthAnIndex()) return;
      try {
        await within(limits.writeMs, `write to ${name}`, signal, save);
      } catch (error) {
        if (!(error instanceof WriteDeniedError)) throw error;
        tell(`This job may not write to ${name}: nothing is kept there`);
      } finally {
        gathered.clear();
      }
    },
  };
}
