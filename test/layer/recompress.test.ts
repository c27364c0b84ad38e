// A layer that is compressed anew has the bytes that it would have had at once.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openHelper } from "../../src/helper/helper.ts";
import { digestOf } from "../../src/image/encode.ts";
import type { LayerItem } from "../../src/layer/entry.ts";
import {
  DigestMismatchError,
  MalformedLayerError,
  openBlobs,
  recompressLayer,
  type WriteOptions,
  writeLayer,
} from "../../src/layer/layer.ts";
import { chunked, collect, item } from "./raw-tar.ts";

const directory = mkdtempSync(join(tmpdir(), "slipway-layer-"));
after(() => rmSync(directory, { recursive: true }));
const blobs = await openBlobs(directory);
const helper = await openHelper();
assert(helper, "the tests need the helper: node scripts/native.ts");

/** Blocks that end within files and between them, that shrink and that do not. */
const sample: readonly LayerItem[] = [
  item("text", {}, Buffer.from("all work and no play\n".repeat(100_000))),
  item("random", {}, randomBytes(1_200_001)),
  item("etc/passwd", {}, "root:x:0:0::/:/bin/sh\n"),
  item("link", { type: "symlink", link: "text" }),
];

const ways: Readonly<Record<string, WriteOptions>> = {
  "gzip by the helper": { blobs, compression: "gzip", helper },
  "gzip 1 by the helper": { blobs, compression: "gzip", level: 1, helper },
  "gzip 9 by the helper": { blobs, compression: "gzip", level: 9, helper },
  "gzip by Node": { blobs, compression: "gzip", helper: undefined },
  "gzip 0 by Node": { blobs, compression: "gzip", level: 0, helper: undefined },
  zstd: { blobs, compression: "zstd", helper },
  "zstd 12": { blobs, compression: "zstd", level: 12, helper },
};

for (const from of ["gzip by the helper", "gzip 0 by Node", "zstd"])
  for (const [to, options] of Object.entries(ways))
    test(`from ${from} to ${to}`, async () => {
      const { layer: old } = await writeLayer(sample, ways[from] ?? assert.fail());
      const due = await writeLayer(sample, options);
      const { layer, compressor } = await recompressLayer(old, options);
      assert.deepEqual(layer.descriptor, due.layer.descriptor);
      assert.deepEqual([layer.diffId, layer.compression, compressor], [old.diffId, options.compression, due.compressor]);
      assert.equal((await collect(layer.open())).length, layer.descriptor.size);
    });

for (const [to, options] of Object.entries({ gzip: ways["gzip by the helper"], "gzip by Node": ways["gzip by Node"], zstd: ways.zstd }))
  test(`what is no such layer does not become one in ${to}`, async () => {
    assert.ok(options);
    const { layer } = await writeLayer(sample, options);
    const bytes = await collect(layer.open());
    const damaged = Buffer.from(bytes);
    damaged[2000] = 255 - (damaged[2000] ?? 0);
    const before = readdirSync(join(directory, "blobs/sha256")).length;
    const faults = [
      { ...layer, open: () => chunked(bytes.subarray(0, 5000)) },
      { ...layer, open: () => chunked(damaged) },
      { ...layer, diffId: digestOf(bytes) },
    ];
    for (const fault of faults)
      await assert.rejects(recompressLayer(fault, options), (error) => {
        assert.ok(error instanceof DigestMismatchError || error instanceof MalformedLayerError);
        assert.ok(error.message.startsWith(`Cannot read layer "${layer.descriptor.digest}": `), error.message);
        return true;
      });
    const failing = async function* () {
      yield bytes.subarray(0, 100_000);
      throw new Error("the connection is gone");
    };
    await assert.rejects(recompressLayer({ ...layer, open: failing }, options), { message: "the connection is gone" });
    const aborted = { ...options, signal: AbortSignal.abort(new Error("cancelled")) };
    await assert.rejects(recompressLayer(layer, aborted), { message: "cancelled" });
    assert.equal(readdirSync(join(directory, "blobs/sha256")).length, before);
    assert.deepEqual(readdirSync(join(directory, "blobs/unfinished")), []);
  });
