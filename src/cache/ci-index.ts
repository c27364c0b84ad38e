// The index of a CI's cache: which records there are, and in which entry, from which byte on, each of their blobs lies.

import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { type Digest, isDigest } from "../image/digest.ts";
import { lastUses } from "./last-use.ts";
import type { Key } from "./store.ts";

export interface CiIndex {
  readonly records: ReadonlyMap<Key, IndexedRecord>;
  readonly blobs: ReadonlyMap<Digest, Place>;
}

export interface IndexedRecord {
  readonly bytes: Uint8Array;
  readonly blobs: readonly Digest[];
  /** Of its last use, seconds since 1970. */
  readonly used: number;
}

/** Where a blob is: some bytes of an entry. */
export interface Place {
  readonly pack: string;
  readonly offset: number;
  readonly size: number;
}

export const emptyIndex: CiIndex = { records: new Map(), blobs: new Map() };

/** What an index may hold. */
export interface IndexLimits {
  /** Bytes of blobs, each counted once. */
  readonly maxBytes: number;
  /** Bytes of records: whoever looks anything up reads them all. */
  readonly maxRecordBytes: number;
  /** Entries that hold blobs: each that is used costs a request. */
  readonly maxPacks: number;
}

const format = "slipway cache index 1";
const keyPattern = /^[0-9a-f]{64}$/;
const packPattern = /^slipway-[a-z0-9-]+$/;
/** Unpacked: far beyond what the limits let an index come to. */
const mostBytes = 64 << 20;

/** The digests of a record are given as their places in the list of blobs, and those of a blob's entry in the list of packs. */
interface Document {
  readonly format: string;
  readonly packs: readonly string[];
  readonly blobs: readonly (readonly [digest: string, pack: number, offset: number, size: number])[];
  readonly records: readonly (readonly [key: string, used: number, base64: string, blobs: readonly number[]])[];
}

export async function encodeIndex({ records, blobs }: CiIndex): Promise<Uint8Array> {
  const packs = [...new Set([...blobs.values()].map(({ pack }) => pack))];
  const packNumbers = new Map(packs.map((pack, i) => [pack, i]));
  const blobNumbers = new Map([...blobs.keys()].map((digest, i) => [digest, i]));
  const document: Document = {
    format,
    packs,
    blobs: [...blobs].map(([digest, { pack, offset, size }]) => [digest, packNumbers.get(pack) ?? 0, offset, size]),
    records: [...records].map(([key, record]) => {
      const numbers = record.blobs.map((digest) => blobNumbers.get(digest) ?? 0);
      return [key, record.used, Buffer.from(record.bytes).toString("base64"), numbers];
    }),
  };
  return promisify(gzip)(Buffer.from(JSON.stringify(document)));
}

/** Throws where the bytes are no index, down to its last number. */
export async function decodeIndex(bytes: Uint8Array): Promise<CiIndex> {
  const text = (await promisify(gunzip)(bytes, { maxOutputLength: mostBytes })).toString();
  const document = JSON.parse(text) as Document;
  check(document.format === format, "its format");
  const packs = document.packs.map((pack) => checked(pack, packPattern.test(pack), "an entry's key"));
  const blobs = document.blobs.map(([digest, pack, offset, size]): [Digest, Place] => {
    check(isDigest(digest) && isCount(offset) && isCount(size), "a blob");
    return [digest, { pack: at(packs, pack), offset, size }];
  });
  const digests = blobs.map(([digest]) => digest);
  const records = document.records.map(([key, used, base64, numbers]): [Key, IndexedRecord] => {
    check(keyPattern.test(key) && isCount(used) && typeof base64 === "string", "a record");
    return [key, { used, bytes: Buffer.from(base64, "base64"), blobs: numbers.map((number) => at(digests, number)) }];
  });
  return { records: new Map(records), blobs: new Map(blobs) };
}

/** The records of an index, the ones that were used last first, each with the time, seconds since 1970. */
export function byLastUse({ records }: Pick<CiIndex, "records">): readonly (readonly [Key, IndexedRecord, number])[] {
  const named = [...records].map(([key, record]) => ({
    key,
    record,
    usedAt: record.used,
    blobs: record.blobs.map((digest) => ({ digest })),
  }));
  return [...lastUses(named)].map(([{ key, record }, used]) => [key, record, used] as const).sort(([, , a], [, , b]) => b - a);
}

/** The records that were used last, as many as fit, and the blobs that they name. Records with a blob that has no place are left out. */
export function boundIndex(index: CiIndex, limits: IndexLimits): CiIndex {
  const { blobs } = index;
  const kept: [Key, IndexedRecord][] = [];
  const places = new Map<Digest, Place>();
  const packs = new Set<string>();
  let blobBytes = 0;
  let recordBytes = 0;
  for (const [key, record] of byLastUse(index)) {
    const needed = new Map(record.blobs.filter((digest) => !places.has(digest)).map((digest) => [digest, blobs.get(digest)]));
    const found = [...needed].filter((entry): entry is [Digest, Place] => entry[1] !== undefined);
    const more = found.reduce((sum, [, { size }]) => sum + size, 0);
    const morePacks = new Set(found.map(([, { pack }]) => pack).filter((pack) => !packs.has(pack)));
    const fits =
      found.length === needed.size &&
      blobBytes + more <= limits.maxBytes &&
      recordBytes + record.bytes.length <= limits.maxRecordBytes &&
      packs.size + morePacks.size <= limits.maxPacks;
    if (!fits) continue;
    kept.push([key, record]);
    for (const [digest, place] of found) places.set(digest, place);
    for (const pack of morePacks) packs.add(pack);
    blobBytes += more;
    recordBytes += record.bytes.length;
  }
  return { records: new Map(kept), blobs: places };
}

/** What either holds; where both do, what the first says. */
export function joinIndexes(first: CiIndex, second: CiIndex): CiIndex {
  return { records: new Map([...second.records, ...first.records]), blobs: new Map([...second.blobs, ...first.blobs]) };
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new SyntaxError(`${what} is not as it should be`);
}

function checked<T>(value: T, holds: boolean, what: string): T {
  check(holds, what);
  return value;
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  check(found !== undefined, "a reference");
  return found;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
