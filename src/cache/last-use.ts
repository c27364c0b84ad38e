// When records were last used: a build that finds everything in the note of the last one asks for none of the records that it stands for.

import type { Digest } from "../image/digest.ts";

interface Naming {
  readonly blobs: readonly { readonly digest: Digest }[];
}

/**
 * By record, when it was used: itself, or one that names all of its blobs. Beside that one it takes up next to nothing, and goes when that
 * one goes. A record without blobs stands for itself.
 */
export function lastUses<T extends Naming & { readonly usedAt: number }>(records: readonly T[]): ReadonlyMap<T, number> {
  const naming = new Map<Digest, Set<T>>();
  for (const record of records)
    for (const { digest } of record.blobs) {
      const known = naming.get(digest);
      if (known === undefined) naming.set(digest, new Set([record]));
      else known.add(record);
    }
  return new Map(
    records.map((record) => {
      const named = record.blobs.map(({ digest }) => naming.get(digest) ?? new Set<T>()).sort((a, b) => a.size - b.size);
      let { usedAt } = record;
      for (const other of named[0] ?? []) if (other.usedAt > usedAt && named.every((those) => those.has(other))) usedAt = other.usedAt;
      return [record, usedAt];
    }),
  );
}

/** As few of the records as name what all of them do; those without blobs besides. */
export function outermost<T extends Naming>(records: readonly T[]): readonly T[] {
  const kept: T[] = [];
  const sets: ReadonlySet<Digest>[] = [];
  for (const record of records.toSorted((a, b) => b.blobs.length - a.blobs.length)) {
    const isInside = record.blobs.length > 0 && sets.some((set) => record.blobs.every(({ digest }) => set.has(digest)));
    if (isInside) continue;
    kept.push(record);
    sets.push(new Set(record.blobs.map(({ digest }) => digest)));
  }
  return kept;
}
