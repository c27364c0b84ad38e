// Which records go first, and what they take with them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { planEviction } from "../../src/cache/eviction.ts";
import { digestOf } from "../../src/image/encode.ts";

const now = 1_700_000_000_000;
const blob = (name: string, size: number) => ({ digest: digestOf(Buffer.from(name)), size });
const record = (key: string, secondsAgo: number, ...blobs: { digest: `sha256:${string}`; size: number }[]) => ({
  key,
  size: 1,
  usedAt: now - secondsAgo * 1000,
  blobs,
  documents: [],
});

const shared = blob("shared", 50);
const records = [
  record("a", 10, shared, blob("a", 100)),
  record("b", 30, shared, blob("b", 100), blob("b", 100)),
  record("c", 20, blob("c", 100)),
  record("future", -1000, blob("d", 100)),
];

const rows: [name: string, limits: { maxBytes?: number; unusedFor?: number }, kept: string[], bytes: number][] = [
  ["nothing without a limit", {}, ["future", "a", "c", "b"], 454],
  ["nothing that just fits", { maxBytes: 454 }, ["future", "a", "c", "b"], 454],
  ["the one that was used least recently", { maxBytes: 453 }, ["future", "a", "c"], 353],
  ["as many as it takes, and what they shared with none", { maxBytes: 120 }, ["future"], 101],
  ["everything", { maxBytes: 0 }, [], 0],
  ["what is old, whatever its size", { unusedFor: 15 }, ["future", "a"], 252],
  ["what is old, and then what does not fit", { unusedFor: 25, maxBytes: 260 }, ["future", "a"], 252],
];

for (const [name, limits, kept, bytes] of rows) {
  test(`eviction removes ${name}`, () => {
    const plan = planEviction(records, { ...limits, dryRun: false }, now);
    assert.deepEqual(
      plan.kept.map(({ key }) => key),
      kept,
    );
    assert.deepEqual(
      plan.removed.map(({ key }) => key),
      records.map(({ key }) => key).filter((key) => !kept.includes(key)),
    );
    assert.equal(plan.keptBytes, bytes);
    const named = new Map(plan.kept.flatMap(({ blobs }) => blobs.map(({ digest, size }) => [digest, size])));
    assert.deepEqual(new Map([...plan.keptBlobs].sort()), new Map([...named].sort()));
  });
}

const [x, y, z] = [blob("x", 10), blob("y", 10), blob("z", 10)];

const uses: [what: string, records: ReturnType<typeof record>[], kept: string[]][] = [
  [
    "a step of a note that is used stays",
    [record("note", 5, x, y, z), record("step", 90, x), record("own", 90, z, y)],
    ["note", "own", "step"],
  ],
  ["a note does not keep what has something else, too", [record("note", 5, x, y), record("step", 90, x, z)], ["note"]],
  ["a note that is old keeps nothing", [record("note", 90, x, y), record("step", 95, x)], []],
  ["a step that is used keeps no note", [record("note", 90, x, y), record("step", 5, x)], ["step"]],
  ["what needs no blob stands for itself", [record("note", 5, x), record("nothing", 90)], ["note"]],
];

for (const [what, candidates, kept] of uses)
  test(what, () => {
    const plan = planEviction(candidates, { unusedFor: 15, dryRun: false }, now);
    assert.deepEqual(plan.kept.map(({ key }) => key).sort(), kept);
  });
