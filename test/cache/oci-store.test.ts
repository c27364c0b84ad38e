// Image layouts that others use too, whose index is damaged, or whose lock was left by a process that is gone.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, readlink, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { withLock } from "../../src/cache/lock.ts";
import { openOciStore } from "../../src/cache/oci-store.ts";
import { hexOf } from "../../src/image/digest.ts";
import { digestOf, encodeRelease } from "../../src/image/encode.ts";
import { prepareLayout } from "../../src/output/oci-layout.ts";
import { layerOf, makeBytes, makeImage } from "../support/registry-image.ts";
import { listen } from "./places.ts";
import { keyOf, makeFolder, readWhole, recordOf, recordWith } from "./records.ts";

const run = promisify(execFile);

function setUp(t: TestContext) {
  const directory = join(makeFolder(t), "layout");
  const { texts, report } = listen();
  const index = async () => JSON.parse(await readFile(join(directory, "index.json"), "utf8"));
  return { directory, texts, index, open: () => openOciStore(directory, { report }) };
}

test("images of others in the layout stay, with all that they name", async (t) => {
  const { directory, texts, index, open } = setUp(t);
  const image = makeImage({ layers: [makeBytes(5000, 1), makeBytes(5000, 2)] });
  const layout = await prepareLayout(directory, encodeRelease([image]), []);
  await layout.commit();
  const [entry] = (await index()).manifests;
  const store = open();
  await store.put(recordOf("a", 1, 5000));
  await store.put(recordOf("b", 3, 5000));
  assert.deepEqual((await index()).manifests[0], entry);
  assert.equal((await index()).manifests.length, 3);
  await store.close();
  const { removedRecords, removedBlobs } = await open().prune({ maxBytes: 0, dryRun: false });
  assert.equal(removedRecords, 2);
  assert.ok(!removedBlobs.includes(digestOf(makeBytes(5000, 1))), "the image has this layer too");
  assert.ok(removedBlobs.includes(digestOf(makeBytes(5000, 3))));
  assert.deepEqual((await index()).manifests, [entry]);
  const needed = [image.manifest, image.config]
    .map(({ descriptor }) => descriptor)
    .concat(image.image.layers.map(({ descriptor }) => descriptor));
  assert.deepEqual((await readdir(join(directory, "blobs/sha256"))).sort(), needed.map(({ digest }) => hexOf(digest)).sort());
  assert.deepEqual(texts, []);
});

test("skopeo and umoci can read the layout", async (t) => {
  if (!existsSync("/usr/bin/skopeo") || !existsSync("/usr/bin/umoci")) return t.skip("skopeo or umoci is not installed");
  const { directory, open } = setUp(t);
  const store = open();
  await store.put(recordWith("a", [layerOf(makeBytes(5000, 1)), layerOf(makeBytes(10, 2))]));
  await store.put(recordWith("none", []));
  await store.close();
  for (const name of ["a", "none"]) {
    const source = `oci:${directory}:slipway-${keyOf(name)}`;
    const { stdout } = await run("skopeo", ["inspect", "--raw", source]);
    assert.equal(JSON.parse(stdout).annotations["slipway.cache.key"], keyOf(name));
    await run("skopeo", ["copy", source, `dir:${join(directory, "..", name)}`]);
  }
  const { stdout } = await run("umoci", ["ls", "--layout", directory]);
  assert.deepEqual(stdout.trim().split("\n").sort(), [`slipway-${keyOf("a")}`, `slipway-${keyOf("none")}`].sort());
  await run("umoci", ["gc", "--layout", directory]);
  assert.deepEqual(await readWhole(open(), [keyOf("a"), keyOf("none")]), ["a", "none"]);
});

test("a damaged index is begun anew, with a warning", async (t) => {
  const { directory, texts, open } = setUp(t);
  const store = open();
  await store.put(recordOf("a"));
  await truncate(join(directory, "index.json"), 50);
  assert.equal((await store.find([keyOf("a")])).size, 0);
  await store.put(recordOf("b", 2));
  assert.deepEqual(await readWhole(store, [keyOf("a"), keyOf("b")]), ["b"]);
  assert.equal(texts.length, 1);
  assert.match(texts[0] ?? "", /^The cache in image layout .* starts anew: its index\.json is damaged$/);
});

test("the index.json of something else is left alone", async (t) => {
  const { directory, open } = setUp(t);
  await mkdir(directory);
  await writeFile(join(directory, "index.json"), '{"name":"mine"}');
  await assert.rejects(open().find([keyOf("a")]), /it is no index of an image layout/);
  await assert.rejects(open().put(recordOf("a")), /it is no index of an image layout/);
  assert.equal(await readFile(join(directory, "index.json"), "utf8"), '{"name":"mine"}');
});

test("a manifest or a blob that is damaged or gone is a miss, and heals with the next put", async (t) => {
  const { directory, texts, index, open } = setUp(t);
  const store = open();
  const record = recordOf("a", 1, 5000);
  const fileOf = (digest: string) => join(directory, "blobs/sha256", digest.slice(7));
  const damages: ((files: { manifest: string; blob: string }) => Promise<void>)[] = [
    ({ manifest }) => writeFile(manifest, makeBytes(300)),
    ({ manifest }) => rm(manifest),
    ({ blob }) => truncate(blob, 10),
    ({ blob }) => rm(blob),
  ];
  for (const [i, inflict] of damages.entries()) {
    await store.put(record);
    const [{ digest }] = (await index()).manifests;
    await inflict({ manifest: fileOf(digest), blob: fileOf(digestOf(makeBytes(5000, 1))) });
    assert.deepEqual(await readWhole(store, [record.key]), []);
    assert.equal(texts.length, i + 1);
  }
  await store.put(record);
  assert.deepEqual(await readWhole(store, [record.key]), ["a"]);
});

test("a lock whose holder is gone is broken at once, one of another machine when it was silent for long", {
  timeout: 60_000,
}, async (t) => {
  const folder = makeFolder(t);
  const file = join(folder, "lock");
  const own = await withLock(file, () => readlink(file));
  const [id, , start, where] = own.split(" ");
  const gone = Number(execFileSync("sh", ["-c", "echo $$"], { encoding: "utf8" }));
  const rows: [holder: string, least: number, most: number][] = [
    [`${id} ${gone} ${start} ${where}`, 0, 5_000],
    [`${id} ${process.pid} 1 ${where}`, 0, 5_000],
    [`${id} 1 1 another-machine`, 9_000, 30_000],
    ["nonsense", 9_000, 30_000],
  ];
  await Promise.all(
    rows.map(async ([holder, least, most], i) => {
      const place = `${file}${i}`;
      await symlink(holder, place);
      const began = performance.now();
      await withLock(place, async (isHeld) => assert.ok(await isHeld()));
      const took = performance.now() - began;
      assert.ok(took >= least && took < most, `${holder}: ${took} ms`);
      await assert.rejects(stat(place), { code: "ENOENT" });
    }),
  );
});

test("a lock lets one in at a time", async (t) => {
  const file = join(makeFolder(t), "lock");
  let [inside, most, turns] = [0, 0, 0];
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((resolve) => setTimeout(resolve, 1));
    inside -= 1;
    turns += 1;
  };
  await Promise.all(Array.from({ length: 20 }, () => withLock(file, work)));
  await assert.rejects(
    withLock(file, () => Promise.reject(new Error("no"))),
    /no/,
  );
  await withLock(file, work);
  assert.deepEqual({ most, turns }, { most: 1, turns: 21 });
});
