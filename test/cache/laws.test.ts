// What holds for every store, whatever it is made of.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { layerOf, makeBytes, readAll } from "../support/registry-image.ts";
import { kinds, type Place } from "./places.ts";
import { fileBlob, keyOf, makeFolder, readWhole, recordOf, recordWith } from "./records.ts";

const laws: Record<string, (place: Place, t: TestContext) => Promise<void>> = {
  async "has nothing at first, and says so"({ open, texts }) {
    const store = open();
    assert.equal((await store.find([keyOf("a"), keyOf("b")])).size, 0);
    assert.equal((await store.find([])).size, 0);
    await assert.rejects(readAll(store.read(layerOf(makeBytes(10)).descriptor)), /Cannot/);
    await store.close();
    assert.deepEqual(texts, []);
  },

  async "gives back what was put, to whoever opens it next"({ open }, t) {
    const folder = makeFolder(t);
    const first = open();
    const records = [
      recordWith("none", []),
      recordWith("stream", [layerOf(makeBytes(3_000_000, 2))]),
      recordWith("file", [await fileBlob(folder, makeBytes(3_000_000, 3)), layerOf(makeBytes(0))]),
      recordWith("many", [layerOf(makeBytes(10, 4)), layerOf(makeBytes(3_000_000, 2)), layerOf(makeBytes(10, 5))]),
    ];
    for (const record of records) await first.put(record);
    await first.close();
    const second = open();
    const keys = [...records.map(({ key }) => key), keyOf("other")];
    assert.deepEqual(await readWhole(second, keys), ["file", "many", "none", "stream"]);
    const found = await second.find(keys);
    for (const { key, bytes } of records) assert.ok(Buffer.from(bytes).equals(found.get(key) ?? Buffer.alloc(0)));
    await second.close();
  },

  async "takes the longest record, and none that is longer"({ open }) {
    const store = open();
    const bytes = makeBytes(1024 * 1024, 7);
    await store.put({ key: keyOf("long"), bytes, blobs: [] });
    await assert.rejects(store.put({ key: keyOf("longer"), bytes: Buffer.concat([bytes, bytes]), blobs: [] }), /1048576 is the most/);
    await store.close();
    const found = await open().find([keyOf("long"), keyOf("longer")]);
    assert.ok(bytes.equals(found.get(keyOf("long")) ?? Buffer.alloc(0)));
    assert.equal(found.size, 1);
  },

  async "replaces a record"({ open }) {
    for (const seed of [1, 2]) {
      const store = open();
      await store.put({ ...recordOf("a", seed), bytes: Buffer.from(`turn ${seed}`) });
      await store.close();
    }
    const store = open();
    assert.equal(Buffer.from((await store.find([keyOf("a")])).get(keyOf("a")) ?? []).toString(), "turn 2");
    assert.ok(makeBytes(1000, 2).equals(await readAll(store.read(layerOf(makeBytes(1000, 2)).descriptor))));
    await store.close();
  },

  async "lets builds put the same and other records at the same time"({ open }, t) {
    const folder = makeFolder(t);
    const shared = await fileBlob(folder, makeBytes(500_000, 9));
    const stores = Array.from({ length: 6 }, open);
    await Promise.all(
      stores.map(async (store, i) => {
        for (let turn = 0; turn < 5; turn++)
          await Promise.all([
            store.put(recordWith("same", [shared, layerOf(makeBytes(1000, 20 + turn))])),
            store.put(recordWith(`own ${i} ${turn}`, [shared, layerOf(makeBytes(2000, i))])),
          ]);
        await store.close();
      }),
    );
    const names = ["same", ...stores.flatMap((_, i) => Array.from({ length: 5 }, (_, turn) => `own ${i} ${turn}`))];
    const store = open();
    assert.deepEqual(await readWhole(store, names.map(keyOf)), names.sort());
    await store.close();
  },

  async "reads while others put"({ open }) {
    const writer = open();
    const reader = open();
    const names = Array.from({ length: 12 }, (_, i) => `record ${i}`);
    let isDone = false;
    const putting = Promise.all(names.map((name, i) => writer.put(recordOf(name, i, 50_000)))).then(() => {
      isDone = true;
    });
    while (!isDone) await readWhole(reader, names.map(keyOf));
    await putting;
    await Promise.all([writer.close(), reader.close()]);
  },

  async "keeps nothing of a put whose blob cannot be had"({ open }) {
    const store = open();
    const broken = {
      ...layerOf(makeBytes(100_000)),
      async *open() {
        yield makeBytes(1000);
        throw new Error("the source is gone");
      },
    };
    await assert.rejects(store.put(recordWith("broken", [broken])), /the source is gone/);
    await store.put(recordOf("whole"));
    await store.close();
    assert.deepEqual(await readWhole(open(), [keyOf("broken"), keyOf("whole")]), ["whole"]);
  },

  async "stops where it is told to"({ open }) {
    const store = open();
    const reason = new Error("stopped");
    await assert.rejects(store.put(recordOf("a"), AbortSignal.abort(reason)), reason);
    await store.put(recordOf("b"));
    await assert.rejects(store.find([keyOf("b")], AbortSignal.abort(reason)), reason);
    await assert.rejects(store.prune({ dryRun: false, maxBytes: 0 }, AbortSignal.abort(reason)), reason);
    await store.close();
    assert.deepEqual(await readWhole(open(), [keyOf("a"), keyOf("b")]), ["b"]);
  },

  async "prunes what does not fit, after saying what would go"({ open }) {
    const store = open();
    for (const seed of [1, 2, 3, 4])
      await store.put(recordWith(`r${seed}`, [layerOf(makeBytes(100_000, seed)), layerOf(makeBytes(500, 77))]));
    await store.close();
    const names = ["r1", "r2", "r3", "r4"];
    const pruner = open();
    const limits = { maxBytes: 250_000 };
    const planned = await pruner.prune({ ...limits, dryRun: true });
    assert.deepEqual(await pruner.prune({ ...limits, dryRun: true }), planned, "nothing has gone yet");
    const done = await pruner.prune({ ...limits, dryRun: false });
    assert.deepEqual(
      { ...done, removedBlobs: done.removedBlobs.toSorted() },
      { ...planned, removedBlobs: planned.removedBlobs.toSorted() },
    );
    assert.ok(done.removedBlobs.length >= 2);
    assert.equal(done.removedRecords, 2);
    assert.equal(done.keptRecords, 2);
    assert.ok(done.freedBytes >= 200_000 && done.keptBytes >= 200_500 && done.keptBytes <= 250_000, JSON.stringify(done));
    assert.equal((await readWhole(pruner, names.map(keyOf))).length, 2);
    await pruner.close();
    assert.equal((await open().prune({ maxBytes: 0, dryRun: false })).removedRecords, 2);
    assert.equal((await open().find(names.map(keyOf))).size, 0);
  },

  async "prunes nothing where everything fits and is in use"({ open }) {
    const store = open();
    await store.put(recordOf("a"));
    await store.close();
    const { removedRecords, freedBytes } = await open().prune({ maxBytes: 1_000_000, unusedFor: 3600, dryRun: false });
    assert.deepEqual({ removedRecords, freedBytes }, { removedRecords: 0, freedBytes: 0 });
    assert.deepEqual(await readWhole(open(), [keyOf("a")]), ["a"]);
  },

  async "can be pruned when there is nothing yet"({ open }) {
    const nothing = { removedRecords: 0, removedBlobs: [], freedBytes: 0, keptRecords: 0, keptBytes: 0 };
    assert.deepEqual(await open().prune({ maxBytes: 0, dryRun: false }), nothing);
  },
};

for (const kind of kinds) {
  for (const [law, check] of Object.entries(laws)) {
    test(`${kind.name} ${law}`, async (t) => {
      const place = await kind.prepare(t);
      if (place !== undefined) await check(place, t);
    });
  }
}
