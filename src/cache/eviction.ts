// Which records go when a store is to be smaller: what is old, then the least recently used.

import type { Digest } from "../image/digest.ts";
import { lastUses } from "./last-use.ts";
import type { NamedBlob } from "./record-file.ts";
import type { Key, PruneLimits } from "./store.ts";

export interface Candidate {
  readonly key: Key;
  /** Bytes of the record itself. */
  readonly size: number;
  /** Milliseconds since 1970; what lies in the future counts as now. */
  readonly usedAt: number;
  readonly blobs: readonly NamedBlob[];
  /** Further blobs, which are there for the record's sake alone. */
  readonly documents: readonly NamedBlob[];
}

export interface Eviction<T extends Candidate> {
  readonly removed: readonly T[];
  readonly kept: readonly T[];
  /** Named by kept records, each once. */
  readonly keptBlobs: ReadonlyMap<Digest, number>;
  /** Of kept records and their blobs. */
  readonly keptBytes: number;
}

export function planEviction<T extends Candidate>(candidates: readonly T[], limits: PruneLimits, now: number): Eviction<T> {
  const uses = lastUses(candidates);
  const usedAt = (candidate: T) => Math.min(uses.get(candidate) ?? 0, now);
  const { unusedFor = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = limits;
  const isOld = (candidate: T) => now - usedAt(candidate) > unusedFor * 1000;
  const newestFirst = candidates.filter((candidate) => !isOld(candidate)).sort((a, b) => usedAt(b) - usedAt(a) || (a.key < b.key ? -1 : 1));
  const named = new Map<Digest, { readonly size: number; by: number }>();
  let bytes = 0;
  for (const candidate of newestFirst) {
    bytes += candidate.size;
    for (const blob of distinct(candidate)) {
      const known = named.get(blob.digest);
      if (known === undefined) bytes += blob.size;
      named.set(blob.digest, { size: known?.size ?? blob.size, by: (known?.by ?? 0) + 1 });
    }
  }
  const kept = [...newestFirst];
  while (bytes > maxBytes) {
    const last = kept.pop();
    if (last === undefined) break;
    bytes -= last.size;
    for (const { digest } of distinct(last)) {
      const { size, by } = named.get(digest) as { size: number; by: number };
      if (by > 1) named.set(digest, { size, by: by - 1 });
      else {
        bytes -= size;
        named.delete(digest);
      }
    }
  }
  const stays = new Set(kept);
  return {
    removed: candidates.filter((candidate) => !stays.has(candidate)),
    kept,
    keptBlobs: new Map([...named].map(([digest, { size }]) => [digest, size])),
    keptBytes: bytes,
  };
}

function distinct({ blobs, documents }: Candidate): readonly NamedBlob[] {
  return [...new Map([...blobs, ...documents].map((blob) => [blob.digest, blob])).values()];
}
