// Tests that layers come to the same whether this process takes them apart or the helper does. That odd archives do is a law of `readAll`, which other tests use.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import zlib from "node:zlib";
import fc from "fast-check";
import { type Helper, openHelper } from "../../src/helper/helper.ts";
import { digestOf } from "../../src/image/encode.ts";
import type { Layer } from "../../src/image/image.ts";
import { indexLayer, verifyBytes } from "../../src/layer/layer.ts";
import { chunked, end, header, member, padded, pax, readAll } from "./raw-tar.ts";

/** The layer that has these bytes; of a file where a folder is given. */
async function layerOf(blob: Buffer, tar: Uint8Array, folder?: string, expected = digestOf(blob)): Promise<Layer> {
  const descriptor = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: expected, size: blob.length };
  const open = () => verifyBytes(chunked(blob, 10_007), { digest: expected });
  if (folder === undefined) return { descriptor, diffId: digestOf(tar), compression: "gzip", open };
  const file = join(await mkdtemp(join(folder, "blob-")), "blob");
  await writeFile(file, blob);
  return { descriptor, diffId: digestOf(tar), compression: "gzip", open, file };
}

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-held-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

const helper = await openHelper();
const needsHelper = { skip: helper === undefined ? "needs the helper" : false };

const noise = randomBytes(3 << 20);
const text = Buffer.alloc(2 << 20, "all work and no play makes jack a dull boy\n");
const passwd = member({ name: "etc/passwd" }, "root:x:0:0::/:/bin/sh\n");
const small = Buffer.concat([
  passwd,
  member({ name: "a" }, "x"),
  header({ name: "d/", flag: "5" }),
  member({ name: "b" }, text.subarray(0, 70_000)),
  end,
]);
const large = Buffer.concat([
  member({ name: "noise" }, noise),
  member({ name: "a" }, "x"),
  member({ name: "long" }, Buffer.alloc(21 << 20, noise.subarray(0, 1000))),
  passwd,
  pax(["size", String(text.length)]),
  header({ name: "text", size: 3 }),
  padded(text),
  end,
]);

for (const [what, tar, level] of [
  ["a small tar", small, 6],
  ["contents larger than what the helper keeps", large, 1],
  ["blocks that are stored", large, 0],
  ["many headers", Buffer.concat([...Array.from({ length: 5000 }, (_, i) => header({ name: `d${i}/`, flag: "5" })), end]), 6],
  ["zeros behind the end", Buffer.concat([small, Buffer.alloc(12 << 20)]), 6],
] as const)
  test(`the helper's index is the same: ${what}`, needsHelper, async (t) => {
    const gzip = zlib.gzipSync(tar, { level });
    const half = tar.length >> 1;
    const members = Buffer.concat([
      zlib.gzipSync(tar.subarray(0, half)),
      zlib.gzipSync(""),
      zlib.gzipSync(tar.subarray(half)),
      Buffer.alloc(99),
    ]);
    const index = await indexLayer(await layerOf(tar, tar));
    const folder = await temporary(t);
    for (const blob of [tar, gzip, members])
      for (const place of [folder, undefined]) assert.deepEqual(await indexLayer(await layerOf(blob, tar, place), { helper }), index);
  });

test("whatever deflate makes of bytes, the helper makes the same bytes of it", needsHelper, async (t) => {
  const folder = await temporary(t);
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 3000, size: "max" }).map((bytes) => Buffer.from(bytes)),
    fc
      .record({ size: fc.nat(200_000), period: fc.integer({ min: 1, max: 40_000 }) })
      .map(({ size, period }) => Buffer.alloc(size, noise.subarray(0, period))),
    fc
      .record({ size: fc.nat(100_000), few: fc.integer({ min: 1, max: 255 }) })
      .map(({ size, few }) => Buffer.from(noise.subarray(0, size).map((byte) => byte % few))),
  );
  const { Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE } = zlib.constants;
  const options = fc.record({
    level: fc.integer({ min: 0, max: 9 }),
    strategy: fc.constantFrom(Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE),
    windowBits: fc.integer({ min: 9, max: 15 }),
    memLevel: fc.integer({ min: 1, max: 9 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 6 }), options, async (pieces, options) => {
      const tar = Buffer.concat([...pieces.map((content, i) => member({ name: `f${i}` }, content)), end]);
      const layer = await layerOf(zlib.gzipSync(tar, options), tar, folder);
      assert.deepEqual(await indexLayer(layer, { helper }), await indexLayer(layer));
    }),
    { numRuns: 60 },
  );
});

const gzip = zlib.gzipSync(large, { level: 1 });
const flipped = (at: number) => Buffer.concat([gzip.subarray(0, at), Buffer.from([(gzip[at] ?? 0) ^ 0x10]), gzip.subarray(at + 1)]);
const faults: readonly (readonly [what: string, blob: Buffer, expected?: Buffer])[] = [
  ["a stream that is cut off", gzip.subarray(0, gzip.length >> 1)],
  ["a stream without its last byte", gzip.subarray(0, -1)],
  ["a stream that is cut off in its header", gzip.subarray(0, 7)],
  ["a damaged middle", Buffer.concat([gzip.subarray(0, 4_000_000), Buffer.alloc(1000, 0xff), gzip.subarray(4_001_000)])],
  ["a wrong checksum", Buffer.concat([gzip.subarray(0, -8), Buffer.alloc(8, 1)])],
  ["garbage behind the end", Buffer.concat([gzip, Buffer.from("garbage")])],
  ["another tar", zlib.gzipSync(small)],
  ["other bytes than those of the digest", zlib.gzipSync(large, { level: 9 }), gzip],
];
for (const [what, blob, expected = blob] of faults)
  for (const place of ["file", "stream"])
    test(`the helper refuses what this process refuses: ${what}, in a ${place}`, needsHelper, async (t) => {
      const folder = place === "file" ? await temporary(t) : undefined;
      const layer = await layerOf(blob, large, folder, digestOf(expected));
      const faultOf = (reading: Promise<unknown>) =>
        reading.then(
          () => "none",
          // Two libraries call what is wrong with a stream by different names.
          ({ name, message }: Error) => `${name}: ${message.replace(/ \([^()]*\)$/, "")}`,
        );
      const fault = await faultOf(indexLayer(layer));
      assert.notEqual(fault, "none");
      assert.equal(await faultOf(indexLayer(layer, { helper })), fault);
    });

test("any byte that changes in a stream is noticed, and nothing hangs", needsHelper, async (t) => {
  const folder = await temporary(t);
  const blob = zlib.gzipSync(small);
  for (let at = 0; at < blob.length; at += 7) {
    const broken = Buffer.from(blob);
    broken[at] = (broken[at] ?? 0) ^ (1 << (at % 8));
    const layer = await layerOf(broken, small, folder);
    const [here, there] = await Promise.allSettled([indexLayer(layer), indexLayer(layer, { helper })]);
    assert.equal(there.status, here.status, `byte ${at}`);
  }
  await assert.rejects(indexLayer(await layerOf(flipped(2_000_000), large, folder), { helper }), /Malformed layer|digest/);
});

test("what a tar lacks at its end is told as this process tells it", needsHelper, async () => {
  for (const cut of [512, 700, 512 + noise.length - 1, 512 + noise.length + 300, 5 << 20, (20 << 20) + 1])
    await assert.rejects(readAll(large.subarray(0, cut)), /Malformed layer: it ends at byte/);
});

test("a bomb is refused before it has gone off", needsHelper, async () => {
  const bomb = zlib.gzipSync(Buffer.concat([member({}, Buffer.alloc(9 << 20)), Buffer.alloc(99 << 20)]));
  const limits = { maxEntries: 9, maxHeaderBytes: 1 << 20, maxNameBytes: 1 << 20, maxBytes: 16 << 20, maxDepth: 9 };
  const reading = indexLayer(await layerOf(bomb, Buffer.alloc(1)), { helper, limits });
  await assert.rejects(reading, /Malformed layer: more than 16777216 bytes come out of it/);
});

test("a layer that is no longer wanted ends its helper", needsHelper, async () => {
  const controller = new AbortController();
  const layer: Layer = {
    ...(await layerOf(gzip, large)),
    async *open() {
      yield gzip.subarray(0, 3_000_000);
      controller.abort(new Error("cancelled"));
      await new Promise((resolve) => setTimeout(resolve, 10));
    },
  };
  await assert.rejects(indexLayer(layer, { helper, signal: controller.signal }), /^Error: cancelled$/);
});

test("what goes wrong on the way to the helper is what is thrown", needsHelper, async () => {
  const layer: Layer = {
    ...(await layerOf(gzip, large)),
    async *open() {
      yield gzip.subarray(0, 1_000_000);
      throw new Error("connection reset");
    },
  };
  await assert.rejects(indexLayer(layer, { helper }), /^Error: connection reset$/);
});

test("a helper that is killed is an error", needsHelper, async (t) => {
  const killed: Helper = {
    path: helper?.path ?? "",
    start(args, options) {
      const started = (helper as Helper).start(args, options);
      started.kill();
      return started;
    },
  };
  for (const place of [await temporary(t), undefined])
    await assert.rejects(indexLayer(await layerOf(gzip, large, place), { helper: killed }), /the helper ended/);
});
