// Directories that are read-only, full, damaged, too large, written by others, or live through clocks that jump.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, stat, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openDirectoryStore } from "../../src/cache/directory-store.ts";
import { hexOf } from "../../src/image/digest.ts";
import { digestOf } from "../../src/image/encode.ts";
import { layerOf, makeBytes } from "../support/registry-image.ts";
import { listen } from "./places.ts";
import { fileBlob, keyOf, makeFolder, readWhole, recordOf, recordWith } from "./records.ts";

function setUp(t: TestContext) {
  const folder = makeFolder(t);
  const directory = join(folder, "cache");
  const { texts, report } = listen();
  const open = (maxBytes?: number) => openDirectoryStore(directory, { report, maxBytes });
  const recordPath = (name: string) => join(directory, "v1/records", keyOf(name));
  const blobPath = (bytes: Buffer) => join(directory, "v1/blobs", hexOf(digestOf(bytes)));
  return { folder, directory, texts, open, recordPath, blobPath };
}

const hour = 3600;

async function setAge(file: string, seconds: number): Promise<void> {
  const at = Date.now() / 1000 - seconds;
  await utimes(file, at, at);
}

test("a blob that lies in a file is linked, not copied", async (t) => {
  const { folder, open, blobPath } = setUp(t);
  const bytes = makeBytes(100_000);
  const blob = await fileBlob(folder, bytes);
  const store = open();
  await store.put(recordWith("a", [blob]));
  assert.equal((await stat(blob.file)).ino, (await stat(blobPath(bytes))).ino);
  await store.close();
  assert.deepEqual((await readdir(join(blobPath(bytes), "../../unfinished"))).length, 0);
});

const damages: Record<string, (places: { record: string; blob: string }) => Promise<unknown>> = {
  "a record that is cut short": ({ record }) => truncate(record, 100),
  "a record of nothing": ({ record }) => truncate(record, 0),
  "a record with a wrong bit": async ({ record }) => {
    const bytes = await readFile(record);
    bytes[bytes.length - 3] = (bytes.at(-3) ?? 0) ^ 1;
    await writeFile(record, bytes);
  },
  "a record that is longer than any": ({ record }) => truncate(record, 5_000_000),
  "another file in its place": ({ record }) => writeFile(record, "hello"),
  "a record of another key": async ({ record }) => writeFile(record, await readFile(join(record, "..", keyOf("other")))),
  "a blob that is gone": ({ blob }) => rm(blob),
  "a blob that is cut short": ({ blob }) => truncate(blob, 99),
};

for (const [damage, inflict] of Object.entries(damages)) {
  test(`${damage} is a miss with a warning, and heals with the next put`, async (t) => {
    const { open, texts, recordPath, blobPath } = setUp(t);
    const store = open();
    for (const [name, seed] of [
      ["hurt", 1],
      ["other", 2],
    ] as const)
      await store.put(recordOf(name, seed));
    const bytes = makeBytes(1000, 1);
    await inflict({ record: recordPath("hurt"), blob: blobPath(bytes) });
    const keys = [keyOf("hurt"), keyOf("other")];
    assert.deepEqual(await readWhole(store, keys), ["other"]);
    assert.equal(texts.length, 1);
    assert.match(texts[0] ?? "", new RegExp(`^Passing over the record ${keyOf("hurt")} in directory .*: it (is|needs) `));
    await store.put(recordOf("hurt", 1));
    assert.deepEqual(await readWhole(store, keys), ["hurt", "other"]);
    await inflict({ record: recordPath("hurt"), blob: blobPath(bytes) });
    assert.equal((await store.prune({ dryRun: false })).removedRecords, 1);
    assert.deepEqual(await readWhole(store, keys), ["other"]);
    assert.equal(texts.length, 1);
  });
}

test("a blob with a wrong bit is found out while it is read, and brought anew by the next put", async (t) => {
  const { open, blobPath } = setUp(t);
  const store = open();
  const record = recordOf("a", 1, 500_000);
  const bytes = makeBytes(500_000, 1);
  await store.put(record);
  const wrong = Buffer.from(bytes);
  wrong[300_000] = (wrong[300_000] ?? 0) ^ 4;
  await writeFile(blobPath(bytes), wrong);
  await assert.rejects(readWhole(store, [record.key]), /its bytes have the digest/);
  await store.put(record);
  assert.deepEqual(await readWhole(store, [record.key]), ["a"]);
});

test("a blob that is gone is one warning, however many records need it", async (t) => {
  const { open, texts, blobPath } = setUp(t);
  const store = open();
  const names = ["a", "b", "c"];
  for (const name of names) await store.put(recordOf(name, 1));
  await rm(blobPath(makeBytes(1000, 1)));
  assert.equal((await open().find(names.map(keyOf))).size, 0);
  assert.equal(texts.length, 1);
  assert.match(
    texts[0] ?? "",
    /^Passing over the record [0-9a-f]{64} and 2 more in directory .*: it needs sha256:[0-9a-f]{64}, which is gone/,
  );
});

test("files of others are neither read nor removed", async (t) => {
  const { directory, open, texts, recordPath } = setUp(t);
  const store = open();
  await store.put(recordOf("a"));
  const others = ["note.txt", "v2/records/x", "v1/records/README", `v1/records/${"a".repeat(63)}`, "v1/blobs/x", "v1/blobs/.keep"];
  for (const name of others) {
    await mkdir(join(directory, name, ".."), { recursive: true });
    await writeFile(join(directory, name), "hello");
  }
  await mkdir(join(directory, "v1/blobs", "b".repeat(64)));
  await mkdir(recordPath("directory"));
  await symlink("/dev/zero", recordPath("link"));
  assert.deepEqual(await readWhole(store, ["a", "directory", "link"].map(keyOf)), ["a"]);
  assert.equal((await store.prune({ maxBytes: 0, dryRun: false })).removedRecords, 1);
  for (const name of others) assert.equal(await readFile(join(directory, name), "utf8"), "hello");
  assert.deepEqual(texts, []);
});

test("a directory that is none is an error that says so", async (t) => {
  const { directory, open } = setUp(t);
  await writeFile(directory, "hello");
  await assert.rejects(open().find([keyOf("a")]), /^Error: ".*cache" is no directory$/);
  await assert.rejects(open().put(recordOf("a")), /^Error: Cannot keep a record in directory .*: not a directory/);
});

test("a size limit is kept when the store is closed, and what was used last stays", async (t) => {
  const { open, directory, recordPath } = setUp(t);
  const names = ["a", "b", "c", "d", "e"];
  for (const [i, name] of names.entries()) {
    const store = open();
    await store.put(recordOf(name, i, 100_000));
    await setAge(recordPath(name), (names.length - i) * 60);
    await store.close();
  }
  const reader = open(350_000);
  await reader.find([keyOf("a")]);
  await reader.close();
  assert.deepEqual(await readWhole(open(), names.map(keyOf)), ["a", "d", "e"]);
  assert.equal((await readdir(join(directory, "v1/blobs"))).length, 3);
  const writer = open(150_000);
  await writer.put(recordOf("f", 9, 100_000));
  await writer.close();
  assert.deepEqual(await readWhole(open(), [...names, "f"].map(keyOf)), ["f"]);
});

test("prune removes what nobody has used for so long", async (t) => {
  const { open, recordPath } = setUp(t);
  const store = open();
  for (const [name, age] of [
    ["new", 0],
    ["day", 24],
    ["week", 168],
  ] as const) {
    await store.put(recordOf(name, age));
    await setAge(recordPath(name), age * hour);
  }
  await store.close();
  const { removedRecords, keptRecords } = await open().prune({ unusedFor: 36 * hour, dryRun: false });
  assert.deepEqual({ removedRecords, keptRecords }, { removedRecords: 1, keptRecords: 2 });
  assert.deepEqual(await readWhole(open(), ["new", "day", "week"].map(keyOf)), ["day", "new"]);
});

test("clocks that jump keep nothing alive and kill nothing", async (t) => {
  const { open, recordPath, blobPath } = setUp(t);
  const store = open();
  const years = 10 * 365 * 24 * hour;
  for (const [name, bytes, age] of [
    ["future", 5, -years],
    ["now", 6, 0],
    ["past", 7, years],
  ] as const) {
    await store.put(recordOf(name, bytes));
    await setAge(recordPath(name), age);
  }
  await setAge(blobPath(makeBytes(1000, 5)), -years);
  await store.close();
  assert.equal((await open().prune({ unusedFor: hour, dryRun: false })).removedRecords, 1);
  assert.deepEqual(await readWhole(open(), ["future", "now", "past"].map(keyOf)), ["future", "now"]);
  for (const file of [recordPath("future"), blobPath(makeBytes(1000, 5))])
    assert.ok(Math.abs((await stat(file)).mtimeMs - Date.now()) < hour * 1000, "from now on it grows old");
});

test("what another build has just written stays until that build is gone", async (t) => {
  const { open, directory } = setUp(t);
  const other = open();
  await other.put(recordOf("theirs", 1));
  const orphan = makeBytes(2000, 8);
  const place = join(directory, "v1/blobs", hexOf(digestOf(orphan)));
  const leftover = join(directory, "v1/unfinished/leftover");
  for (const file of [place, leftover]) await writeFile(file, orphan);
  const mine = open();
  assert.equal((await mine.prune({ dryRun: false })).freedBytes, 0);
  await setAge(place, 2 * hour);
  assert.deepEqual((await mine.prune({ dryRun: false })).removedBlobs, [digestOf(orphan)]);
  assert.ok((await stat(leftover)).isFile());
  const [writer = ""] = await readdir(join(directory, "v1/writers"));
  await setAge(join(directory, "v1/writers", writer), hour);
  await mine.close();
  await assert.rejects(stat(leftover), { code: "ENOENT" });
  assert.deepEqual(await readWhole(open(), [keyOf("theirs")]), ["theirs"]);
});

test("a blob that somebody removed during a put is there in the end", async (t) => {
  const { open, blobPath } = setUp(t);
  const store = open();
  const bytes = makeBytes(1000, 1);
  let isGone = false;
  const second = {
    ...layerOf(makeBytes(10, 2)),
    async *open() {
      await rm(blobPath(bytes), { force: true });
      isGone = true;
      yield makeBytes(10, 2);
    },
  };
  await store.put(recordWith("a", [layerOf(bytes), second]));
  assert.ok(isGone);
  assert.deepEqual(await readWhole(store, [keyOf("a")]), ["a"]);
});

const inside = fileURLToPath(new URL("mounted-store.ts", import.meta.url));

/** Runs a piece of `mounted-store.ts` where a file system of its own can be mounted. */
async function runMounted(t: TestContext, piece: string): Promise<void> {
  if (process.getuid?.() !== 0) return t.skip("only root can mount");
  const folder = makeFolder(t);
  await promisify(execFile)("unshare", ["-m", process.execPath, inside, piece, folder]);
}

test("a store on a read-only file system is read, and says that it cannot be written", (t) => runMounted(t, "read-only"));

test("a store on a full disk says so, keeps what it has, and takes records again when there is room", (t) => runMounted(t, "full"));

test("a store on another file system than the blobs copies them", (t) => runMounted(t, "other"));

test("a store of somebody else is read", (t) => runMounted(t, "foreign"));
