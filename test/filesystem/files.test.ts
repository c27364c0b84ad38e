// Where the bytes of files in layers are found: unpacked, or taken out of the blob once.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openLayerFiles } from "../../src/filesystem/filesystem.ts";
import type { Layer } from "../../src/image/image.ts";
import type { Content } from "../../src/layer/entry.ts";
import { entry } from "./entries.ts";
import { makeLayer, type RawEntry } from "./tar.ts";

const file = (path: string, text: string): RawEntry => ({ entry: entry(path, "file", { size: text.length }), content: Buffer.from(text) });
const big = "0123456789".repeat(20000);
const layer = makeLayer([
  file("a/x", "first"),
  file("a/y", "why"),
  file("empty", ""),
  file("a/x", "second"),
  file("big", big),
  { entry: entry("d", "directory") },
]);

async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "slipway-files-"));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

function read(content: Content | undefined): string | undefined {
  if (content?.kind !== "file") return undefined;
  return readFileSync(content.path)
    .subarray(content.offset, content.offset + content.size)
    .toString();
}

test("contents come out of the blob in one pass, the last of two entries with one name", async (t) => {
  const directory = join(await temporary(t), "spool");
  let opened = 0;
  const counted: Layer = {
    ...layer,
    open(signal) {
      opened += 1;
      return layer.open(signal);
    },
  };
  const files = openLayerFiles(directory);
  const found = await files.locate(counted, ["a/x", "big", "empty", "d", "nowhere"]);
  assert.deepEqual([...found.keys()].sort(), ["a/x", "big", "empty"]);
  assert.equal(read(found.get("a/x")), "second");
  assert.equal(read(found.get("big")), big);
  assert.equal(read(found.get("empty")), "");
  assert.equal(opened, 1);
  const earlier = await files.locate(counted, ["a/x\u00000", "a/x\u00001", "a/x\u00002"]);
  assert.deepEqual([...earlier.values()].map(read), ["first", "second"], "by the turn at which the layer has them");
  const [again, more] = await Promise.all([files.locate(counted, ["big", "d"]), files.locate(counted, ["a/y", "big"])]);
  assert.deepEqual(again.get("big"), found.get("big"));
  assert.equal(read(more.get("a/y")), "why");
  assert.equal(opened, 3);
});

test("an unpacked directory is preferred, but no symlink in it is followed", async (t) => {
  const base = await temporary(t);
  const root = join(base, "root");
  mkdirSync(join(root, "a"), { recursive: true });
  writeFileSync(join(root, "a/x"), "on disk");
  writeFileSync(join(base, "secret"), "secret");
  symlinkSync("../secret", join(root, "big"));
  symlinkSync("a", join(root, "l"));
  const files = openLayerFiles(join(base, "spool"));
  files.register(layer.diffId, root);
  const found = await files.locate(layer, ["a/x", "big", "l/x", "a/y"]);
  assert.equal(read(found.get("a/x")), "on disk");
  assert.equal(read(found.get("big")), big);
  assert.equal(read(found.get("a/y")), "why");
  assert.equal(found.has("l/x"), false);
});

test("a blob that is not what its digest says leaves nothing behind", async (t) => {
  const directory = await temporary(t);
  const other = makeLayer([file("a/x", "other")]);
  const files = openLayerFiles(directory);
  await assert.rejects(files.locate({ ...layer, open: other.open }, ["a/x"]), /digest|sha256/i);
  assert.deepEqual(readdirSync(directory), []);
});
