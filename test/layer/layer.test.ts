// Tests that layers come back as they were written, whoever writes and whoever reads them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { mkdtemp, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import zlib from "node:zlib";
import fc from "fast-check";
import { type Helper, openHelper } from "../../src/helper/helper.ts";
import { digestOf } from "../../src/image/encode.ts";
import type { Layer } from "../../src/image/image.ts";
import type { Entry, LayerItem } from "../../src/layer/entry.ts";
import {
  ContentChangedError,
  DigestMismatchError,
  type HeldBytes,
  indexLayer,
  MalformedLayerError,
  openBlobs,
  readLayer,
  summarizeContent,
  type WriteOptions,
  writeLayer,
} from "../../src/layer/layer.ts";
import { chunked, collect, end, item, member } from "./raw-tar.ts";

const directory = mkdtempSync(join(tmpdir(), "slipway-layer-"));
after(() => rmSync(directory, { recursive: true }));
const blobs = await openBlobs(directory);
const helper = await openHelper();
assert(helper, "the tests need the helper: node scripts/native.ts");

/** Each way to write a layer. */
const ways: readonly (readonly [string, WriteOptions])[] = [
  ["the helper", { blobs, compression: "gzip", helper }],
  ["Node's zlib", { blobs, compression: "gzip", helper: undefined }],
  ["zstd", { blobs, compression: "zstd", helper }],
];

const unfinished = () => readdirSync(join(directory, "blobs", "unfinished"));

async function contentsOf(layer: Layer): Promise<Map<string, Buffer>> {
  const contents = new Map<string, Buffer>();
  await readLayer(layer, {
    async entry(entry, content) {
      contents.set(entry.path, await collect(content));
    },
  });
  return contents;
}

const big = randomBytes(3_000_000);
const bigFile = join(directory, "big");
await writeFile(bigFile, big);

const sample: LayerItem[] = [
  item("", { type: "directory" }),
  item("etc", { type: "directory" }),
  item("etc/group", {}, { kind: "file", path: bigFile, offset: 5, size: 100 }),
  item("etc/passwd", { mode: 0o600 }, "root:x:0:0:root:/root:/bin/sh\n"),
  item("dev/null", { type: "char", devMajor: 1, devMinor: 3, mode: 0o666 }),
  item("dev/sda", { type: "block", devMajor: 8, devMinor: 0 }),
  item("big", { mode: 0o4755, uid: 4_000_000_000 }, { kind: "file", path: bigFile, offset: 0, size: big.length }),
  item("empty", { mtime: -1 }),
  item("fifo", { type: "fifo" }),
  item("part", { mtime: 2 ** 40 }, { kind: "file", path: bigFile, offset: 1_000_001, size: 1_500_000 }),
  item("link", { type: "symlink", link: "../\xff/é".repeat(60) }),
  item("hard", { type: "hardlink", link: "big" }),
  item("capable", { xattrs: new Map([["security.capability", "\x01\0\0\x02\xff="]]) }, "x"),
  item(`${"deep/".repeat(40)}${"n".repeat(200)}/ü`, {}, "x"),
  item(`${"d".repeat(120)}/${"n".repeat(100)}`, {}, "x"),
  item("etc/.wh.gone", { mode: 0 }),
];

for (const [name, options] of ways) {
  test(`a layer written by ${name} reads back as its index says`, async () => {
    const { layer, index, compressor } = await writeLayer(sample, options);
    assert.match(
      compressor,
      name === "the helper" ? /^libdeflate-[\d.]+-gzip-6-b1m-s1$/ : name === "zstd" ? /^zstd-/ : /^zlib-.+-gzip-6-b1m$/,
    );
    assert.deepEqual(await indexLayer(layer), index);
    assert.equal(index.diffId, layer.diffId);
    assert.deepEqual(
      index.entries.map(({ path }) => path),
      sample.map(({ entry }) => entry.path),
    );
    const byPath = new Map(index.entries.map((entry) => [entry.path, entry]));
    assert.equal(byPath.get("etc/passwd")?.text, "root:x:0:0:root:/root:/bin/sh\n");
    assert.equal(byPath.get("etc/group")?.text, big.toString("latin1", 5, 105));
    assert.equal(byPath.get("big")?.sha256, digestOf(big).slice(7));
    assert.equal(byPath.get("empty")?.sha256, digestOf(Buffer.alloc(0)).slice(7));
    assert.equal(byPath.get("hard")?.sha256, undefined);
    const contents = await contentsOf(layer);
    assert(contents.get("big")?.equals(big));
    assert(contents.get("part")?.equals(big.subarray(1_000_001, 2_500_001)));
    const stored = await collect(layer.open());
    assert.equal(digestOf(stored), layer.descriptor.digest);
    assert.equal(stored.length, layer.descriptor.size);
  });

  test(`gzip, zstd and GNU tar accept what ${name} writes`, async () => {
    const { layer } = await writeLayer(sample, options);
    const file = layer.file ?? "";
    execFileSync(options.compression, ["-q", "-t", "-"], { input: await collect(layer.open()) });
    const program = options.compression === "gzip" ? "gzip" : "zstd";
    const listed = execFileSync("tar", ["-I", program, "--quoting-style=literal", "-tf", file], {
      encoding: "latin1",
      env: { ...process.env, LC_ALL: "C" },
    });
    assert.deepEqual(
      listed.trimEnd().split("\n"),
      sample.map(({ entry }) => (entry.type === "directory" ? `${entry.path || "."}/` : entry.path)),
    );
    const shown = execFileSync("tar", ["-I", program, "--numeric-owner", "-tvf", file, "big", "empty", "dev/null"], {
      encoding: "utf8",
      env: { ...process.env, TZ: "UTC" },
    });
    assert.match(shown, /^crw-rw-rw- 0\/0 +1,3 .*dev\/null$/m);
    assert.match(shown, /^-rwsr-xr-x 4000000000\/0 +3000000 .*big$/m);
    assert.match(shown, /1969-12-31 23:59.*empty$/m);
    const got = execFileSync("tar", ["-I", program, "-xOf", file, "part"], { maxBuffer: 1 << 24 });
    assert(got.equals(big.subarray(1_000_001, 2_500_001)));
  });

  test(`a file that is not what it was fails a layer of ${name} and leaves nothing`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "slipway-changed-"));
    t.after(() => rm(folder, { recursive: true }));
    const path = join(folder, "file");
    await writeFile(path, "12345");
    const file = (size: number, sha256?: string) =>
      item("f", sha256 === undefined ? {} : { sha256 }, { kind: "file", path, offset: 0, size });
    const changed = async (layerItem: LayerItem) =>
      assert.rejects(writeLayer([item("a", {}, "x"), layerItem], options), (error) => {
        assert(error instanceof ContentChangedError, String(error));
        assert.match(error.message, /the context changed while building$/);
        return true;
      });
    await writeLayer([file(5, digestOf(Buffer.from("12345")).slice(7))], options);
    await changed(file(5, digestOf(Buffer.from("other")).slice(7)));
    await changed(item("f", { sha256: digestOf(Buffer.from("other")).slice(7) }, "12345"));
    await changed(item("f", { sha256: digestOf(Buffer.from("other")).slice(7) }));
    await changed(file(6));
    await truncate(path, 4);
    await changed(file(5));
    await rename(path, join(folder, "elsewhere"));
    await changed(file(5));
    await symlink("elsewhere", path);
    await changed(file(5));
    await rm(path);
    execFileSync("mkfifo", [path]);
    await changed(file(5));
    assert.deepEqual(unfinished(), []);
  });

  test(`a cancelled layer of ${name} ends at once and leaves nothing`, async () => {
    const controller = new AbortController();
    async function* endless() {
      for (let i = 0; ; i++) {
        if (i === 40) controller.abort(new Error("cancelled"));
        yield item(`f${i}`, {}, { kind: "file", path: bigFile, offset: 0, size: 100_000 });
      }
    }
    await assert.rejects(writeLayer(endless(), { ...options, signal: controller.signal }), /^Error: cancelled$/);
    assert.deepEqual(unfinished(), []);
  });

  test(`what the items throw is what a layer of ${name} throws`, async () => {
    async function* failing() {
      yield item("f", {}, { kind: "file", path: bigFile, offset: 0, size: 100_000 });
      throw new Error("cannot list the folder");
    }
    await assert.rejects(writeLayer(failing(), options), /^Error: cannot list the folder$/);
    await assert.rejects(
      writeLayer([item("f", { size: 9 }, "x")], options),
      /Cannot write "f" to a layer: it has 1 bytes of content, not 9/,
    );
    await assert.rejects(writeLayer([item("f")], { ...options, level: 99 }), /Cannot compress with .* at level 99/);
    assert.deepEqual(unfinished(), []);
  });
}

const name = fc
  .uint8Array({ minLength: 1, maxLength: 120 })
  .map((bytes) => Buffer.from(bytes).toString("latin1").replace(/[\0/]/g, "x").replace(/^\.+$/, "dots"));
const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/"));
const id = fc.oneof(fc.nat(70_000), fc.nat(0xfffffffe));
const common = fc.record({
  path,
  mode: fc.nat(0o7777),
  uid: id,
  gid: id,
  mtime: fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 45), max: 2 ** 45 })),
});
const bare = { mtimeNs: 0, size: 0, link: "", devMajor: 0, devMinor: 0 };
const capability = fc.option(
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  { nil: undefined },
);
const content = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }).map((bytes) => ({ kind: "bytes" as const, bytes })),
  fc.tuple(fc.nat(2_000_000), fc.nat(900_000)).map(([offset, size]) => ({ kind: "file" as const, path: bigFile, offset, size })),
);
const anyItem: fc.Arbitrary<LayerItem> = fc.oneof(
  fc.record({ common, content, capability }).map(({ common: fields, content: held, capability: value }) => ({
    entry: {
      ...bare,
      ...fields,
      type: "file" as const,
      size: held.kind === "bytes" ? held.bytes.length : held.size,
      ...(value === undefined ? {} : { xattrs: new Map([["security.capability", value]]) }),
    },
    content: held,
  })),
  common.map((fields) => ({ entry: { ...bare, ...fields, type: "directory" as const } })),
  common.map((fields) => ({ entry: { ...bare, ...fields, type: "fifo" as const } })),
  fc.tuple(common, path).map(([fields, link]) => ({ entry: { ...bare, ...fields, type: "symlink" as const, link: `/${link}/../` } })),
  fc.tuple(common, path).map(([fields, link]) => ({ entry: { ...bare, ...fields, type: "hardlink" as const, link } })),
  fc
    .tuple(common, fc.nat(4095), fc.nat(1 << 20))
    .map(([fields, devMajor, devMinor]) => ({ entry: { ...bare, ...fields, type: "char" as const, devMajor, devMinor } })),
);

test("law: reading gives back whatever was written, and every way to write gives the same tar", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyItem, { maxLength: 12 }), async (items) => {
      const written = await Promise.all(ways.map(([, options]) => writeLayer(items, options)));
      for (const { layer, index } of written) {
        assert.deepEqual(await indexLayer(layer), index);
        assert.deepEqual(
          index.entries.map(({ sha256: _, ...rest }) => rest),
          items.map(({ entry }) => entry),
        );
        assert.equal(layer.diffId, written[0]?.layer.diffId);
      }
    }),
    { numRuns: 40 },
  );
});

test("law: the same items give the same blob, whatever else was written before", async () => {
  for (const [, options] of ways) {
    const [first, second] = [await writeLayer(sample, options), await writeLayer(sample.values(), options)];
    assert.deepEqual(second.layer.descriptor, first.layer.descriptor);
    assert.deepEqual(second.index, first.index);
  }
});

test("law: times come back as whole seconds, and no later than the clamp", async () => {
  const times = [item("a", { mtime: 5, mtimeNs: 9 }), item("b", { mtime: 100 }), item("c", { mtime: -7, mtimeNs: 1 })];
  for (const [, options] of ways) {
    const { index } = await writeLayer(times, { ...options, clampMtime: 50 });
    assert.deepEqual(
      index.entries.map(({ mtime, mtimeNs }) => [mtime, mtimeNs]),
      [
        [5, 0],
        [50, 0],
        [-7, 0],
      ],
    );
  }
});

test("of extended attributes only capabilities enter a layer", async () => {
  const xattrs = new Map([
    ["user.note", "x"],
    ["security.capability", "y"],
    ["trusted.overlay.opaque", "y"],
  ]);
  for (const [, options] of ways) {
    const { index } = await writeLayer([item("f", { xattrs })], options);
    assert.deepEqual(index.entries[0]?.xattrs, new Map([["security.capability", "y"]]));
  }
});

const unwritable: [string, Partial<Entry>][] = [
  ["a\0b", {}],
  ["", {}],
  ["l", { type: "symlink" }],
  ["h", { type: "hardlink" }],
  ["m", { mode: 0o10000 }],
  ["u", { uid: -1 }],
  ["g", { gid: 0xffffffff }],
  ["t", { mtime: 0.5 }],
  ["d", { type: "char", devMajor: 2 ** 22 }],
];

test("entries that no layer can hold are refused by name", async () => {
  for (const [at, fields] of unwritable)
    for (const [, options] of ways)
      await assert.rejects(writeLayer([item(at, fields)], options), { message: /^Cannot write ".*" to a layer: / });
});

test("blocks that would not shrink are stored, and others compressed", async () => {
  const even = Buffer.alloc(1 << 20, "abc");
  const { layer } = await writeLayer([item("a", {}, Buffer.concat([big.subarray(0, 1 << 20), even, big.subarray(0, 1 << 20), even]))], {
    blobs,
    compression: "gzip",
    helper,
  });
  const random = 2 << 20;
  assert(layer.descriptor.size > random && layer.descriptor.size < random + 40_000, String(layer.descriptor.size));
});

test("the level changes the bytes, not the tar", async () => {
  for (const [, options] of ways) {
    const [fast, best] = [await writeLayer(sample, { ...options, level: 1 }), await writeLayer(sample, { ...options, level: 9 })];
    assert.equal(fast.layer.diffId, best.layer.diffId);
    assert(fast.layer.descriptor.size > best.layer.descriptor.size);
    assert.notEqual(fast.compressor, best.compressor);
  }
});

test("a helper that breaks off says why", async () => {
  const broken: Helper = { path: "", start: (_args, options) => (helper as Helper).start(["pack", "/nowhere/file", "6"], options) };
  await assert.rejects(
    writeLayer(sample, { blobs, compression: "gzip", helper: broken }),
    /Cannot write a layer: Cannot write "\/nowhere\/file": No such file/,
  );
});

/** A layer of given tar bytes. */
function layerOf(tar: Buffer, fields: Partial<Layer> = {}): Layer {
  const blob = zlib.gzipSync(tar);
  const descriptor = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: digestOf(blob), size: blob.length };
  return { descriptor, diffId: digestOf(tar), compression: "gzip", open: () => chunked(blob), ...fields };
}

test("readLayer refuses a layer whose tar is not that of its diffId", async () => {
  const tar = Buffer.concat([member({}, "x"), end]);
  await indexLayer(layerOf(tar));
  await assert.rejects(indexLayer(layerOf(tar, { diffId: digestOf(Buffer.from("other")) })), DigestMismatchError);
  await assert.rejects(indexLayer(layerOf(Buffer.from("garbage".repeat(200)))), (error) => {
    assert(error instanceof MalformedLayerError);
    assert.match(error.message, /^Cannot read layer "sha256:[0-9a-f]{64}": Malformed layer: /);
    return true;
  });
});

test("summarizeContent hashes what is left unread", async () => {
  const tar = Buffer.concat([member({ name: "a" }, big.subarray(0, 400_000)), member({ name: "b" }, "x"), end]);
  const digests: string[] = [];
  await readLayer(layerOf(tar), {
    async entry(entry, content) {
      const takeOne = async (chunks: AsyncIterable<Uint8Array> | HeldBytes) => {
        assert("offset" in chunks === false);
        for await (const _chunk of chunks) break;
      };
      digests.push((await summarizeContent(entry, content, takeOne)).sha256);
    },
  });
  assert.deepEqual(
    digests,
    [big.subarray(0, 400_000), Buffer.from("x")].map((bytes) => digestOf(bytes).slice(7)),
  );
});

test("what a visitor throws is what readLayer throws", async () => {
  const tar = Buffer.concat([member({}, "x"), end]);
  const visitor = {
    entry() {
      throw new Error("disk full");
    },
  };
  await assert.rejects(readLayer(layerOf(tar), visitor), /^Error: disk full$/);
});
