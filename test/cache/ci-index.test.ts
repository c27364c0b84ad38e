// The index of a CI's cache: written and read, refused where it is anything else, and kept within its limits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { boundIndex, type CiIndex, decodeIndex, encodeIndex, type IndexedRecord } from "../../src/cache/ci-index.ts";
import type { Digest } from "../../src/image/digest.ts";

const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
const count = fc.maxSafeNat();
const place = fc.record({ pack: fc.constantFrom("slipway-1", "slipway-2"), offset: count, size: count }, { noNullPrototype: true });

const indexes = fc
  .uniqueArray(fc.tuple(hex, place), { selector: ([digest]) => digest, maxLength: 5 })
  .chain((entries): fc.Arbitrary<CiIndex> => {
    const blobs = new Map(entries.map(([digest, at]) => [`sha256:${digest}` as const, at]));
    const record = fc.record(
      { bytes: fc.uint8Array({ maxLength: 20 }), blobs: fc.subarray([...blobs.keys()]), used: count },
      { noNullPrototype: true },
    );
    return fc.uniqueArray(fc.tuple(hex, record), { selector: ([key]) => key }).map((records) => ({ blobs, records: new Map(records) }));
  });

test("what is written is read", async () => {
  await fc.assert(
    fc.asyncProperty(indexes, async (index) => {
      const { records, blobs } = await decodeIndex(await encodeIndex(index));
      assert.deepEqual(blobs, index.blobs);
      const plain = (all: CiIndex["records"]) => [...all].map(([key, record]) => [key, { ...record, bytes: [...record.bytes] }]);
      assert.deepEqual(plain(records), plain(index.records));
    }),
  );
});

test("what is damaged is refused, or is an index all the same", async () => {
  await fc.assert(
    fc.asyncProperty(indexes, fc.nat(), fc.string({ maxLength: 3 }), async (index, at, text) => {
      const json = gunzipSync(await encodeIndex(index)).toString();
      const cut = at % json.length;
      const damaged = gzipSync(`${json.slice(0, cut)}${text}${json.slice(cut + 1)}`);
      const read = await decodeIndex(damaged).catch((error: unknown) => {
        assert.ok(error instanceof SyntaxError || error instanceof TypeError, String(error));
        return undefined;
      });
      for (const { blobs } of read?.records.values() ?? []) for (const digest of blobs) assert.ok(read?.blobs.has(digest));
    }),
  );
});

const digestOf = (letter: string): Digest => `sha256:${letter.repeat(64)}`;
const a = digestOf("a");
const b = digestOf("b");
const c = digestOf("c");
const blobs: CiIndex["blobs"] = new Map([
  [a, { pack: "slipway-1", offset: 0, size: 10 }],
  [b, { pack: "slipway-2", offset: 0, size: 20 }],
  [c, { pack: "slipway-2", offset: 20, size: 30 }],
]);
const recordOf = (used: number, ...digests: Digest[]): IndexedRecord => ({ bytes: Buffer.alloc(100), blobs: digests, used });
const unlimited = { maxBytes: 1e9, maxRecordBytes: 1e9, maxPacks: 1e9 };

const limited: Record<string, [Record<string, IndexedRecord>, Partial<typeof unlimited>, string[], number]> = {
  "everything fits": [{ x: recordOf(1, a), y: recordOf(2, b, c), z: recordOf(3) }, {}, ["x", "y", "z"], 3],
  "the bytes of blobs": [{ x: recordOf(1, a), y: recordOf(2, b), z: recordOf(3, c) }, { maxBytes: 50 }, ["y", "z"], 2],
  "a blob counts once": [{ x: recordOf(1, b, c), y: recordOf(2, b), z: recordOf(3, c) }, { maxBytes: 50 }, ["x", "y", "z"], 2],
  "one that does not fit leaves room": [{ x: recordOf(1, a), y: recordOf(2, c), z: recordOf(3, b) }, { maxBytes: 30 }, ["x", "z"], 2],
  "the bytes of records": [{ x: recordOf(1, a), y: recordOf(2, b), z: recordOf(3, c) }, { maxRecordBytes: 250 }, ["y", "z"], 2],
  "the entries": [{ x: recordOf(1, a), y: recordOf(2, b), z: recordOf(3, c) }, { maxPacks: 1 }, ["y", "z"], 2],
  "a blob without a place": [{ x: recordOf(1, a), y: recordOf(2, a, digestOf("d")) }, {}, ["x"], 1],
};

for (const [name, [records, limits, kept, count]] of Object.entries(limited)) {
  test(`what was used last stays: ${name}`, () => {
    const bound = boundIndex({ records: new Map(Object.entries(records)), blobs }, { ...unlimited, ...limits });
    assert.deepEqual([...bound.records.keys()].sort(), kept);
    assert.equal(bound.blobs.size, count);
  });
}
