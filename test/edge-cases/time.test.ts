// SOURCE_DATE_EPOCH: the same input gives the same digest, and only what is new changes its times.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { readAll } from "../layer/raw-tar.ts";
import { openWorkbench } from "./workbench.ts";

const bench = openWorkbench(({ image }) => image("image", ["d 755 0:0 old\nf 644 0:0 old/f F"]));

const epoch = 500;
const epochs = { buildArgs: new Map([["SOURCE_DATE_EPOCH", String(epoch)]]) };
const dockerfile = "FROM image\nWORKDIR /w\nCOPY f early z a /w/\nADD https.txt /x/\nENV B=2 A=1\nLABEL z=1 a=2\nCOPY <<E /here\ntext\nE";
// Everything of the context is of 1000 s.
const context = "f 644 0:0 f F\nf 644 0:0 z Z\nf 644 0:0 a A\nf 644 0:0 early E\nf 644 0:0 https.txt H";

test("7.57 the same inputs at other times give the same digest", async () => {
  const build = () => bench.build({ dockerfile, context, request: { ...epochs, rewriteTimestamp: true } });
  const first = await build();
  await sleep(1100);
  const second = await build();
  assert.equal(second.result.digest, first.result.digest);
  assert.equal(first.image.created, "1970-01-01T00:08:20Z");
  assert.deepEqual([...new Set(first.image.history?.slice(1).map(({ created }) => created))], ["1970-01-01T00:08:20Z"]);
});

test("7.57 and in a shuffled context as well: entries are sorted", async () => {
  const shuffled = context.split("\n").reverse().join("\n");
  const request = { ...epochs, rewriteTimestamp: true };
  const [one, other] = [await bench.build({ dockerfile, context, request }), await bench.build({ dockerfile, context: shuffled, request })];
  assert.equal(other.result.digest, one.result.digest);
  assert.deepEqual(await one.layer(2), ["d 755 0:0 w", "f 644 0:0 w/a A", "f 644 0:0 w/early E", "f 644 0:0 w/f F", "f 644 0:0 w/z Z"]);
});

test("7.57 rewrite-timestamp lowers the times of new layers alone; without it only what the build makes has the epoch's", async () => {
  const times = async (request: object) => {
    const built = await bench.build({ dockerfile, context, request });
    const layers = await Promise.all(built.manifest.layers.map(async (_: unknown, at: number) => readAll(await built.tar(at))));
    return layers.map((entries) => entries.map(({ entry }: { entry: { path: string; mtime: number } }) => `${entry.path} ${entry.mtime}`));
  };
  const base = ["old 1000", "old/f 1000"];
  assert.deepEqual(await times({ ...epochs, rewriteTimestamp: true }), [
    ...[base, [`w ${epoch}`], [`w ${epoch}`, `w/a ${epoch}`, `w/early ${epoch}`, `w/f ${epoch}`, `w/z ${epoch}`]],
    ...[[`x ${epoch}`, `x/https.txt ${epoch}`], [`here ${epoch}`]],
  ]);
  assert.deepEqual(await times(epochs), [
    ...[base, [`w ${epoch}`], [`w ${epoch}`, "w/a 1000", "w/early 1000", "w/f 1000", "w/z 1000"]],
    ...[[`x ${epoch}`, "x/https.txt 1000"], [`here ${epoch}`]],
  ]);
});

test("7.57 times that are earlier stay", async () => {
  const late = { buildArgs: new Map([["SOURCE_DATE_EPOCH", "2000"]]), rewriteTimestamp: true };
  const built = await bench.build({ dockerfile: "FROM scratch\nCOPY f /", context, request: late });
  const [file] = await readAll(await built.tar(0));
  assert.equal(file?.entry.mtime, 1000);
});

test("7.57 the gzip header has no time, name or system of its own", async () => {
  const built = await bench.build({ dockerfile: "FROM scratch\nCOPY f /", context });
  const { digest } = built.manifest.layers[0];
  const blob = bench.registry().repositories.get(`library/${built.name}`)?.blobs.get(digest) ?? assert.fail("the layer was pushed");
  assert.deepEqual([...blob.subarray(0, 8)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
  assert.equal(blob[9], 0xff);
  assert.ok(gunzipSync(blob).length > 0);
});

test("7.57 the configuration's keys are sorted", async () => {
  const built = await bench.build({ dockerfile: 'FROM scratch\nLABEL z=1 a=2\nSTOPSIGNAL 9\nCMD ["c"]' });
  assert.deepEqual(Object.keys(built.image), Object.keys(built.image).sort());
  assert.deepEqual(Object.keys(built.config), Object.keys(built.config).sort());
  assert.deepEqual(Object.keys(built.config.Labels ?? {}), ["a", "z"]);
});
