// The tar for `docker load`: its bytes, and what other tools make of it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { extract } from "tar-stream";
import { hexOf } from "../../src/image/digest.ts";
import type { EncodedImage } from "../../src/image/encode.ts";
import { parseReference } from "../../src/image/reference.ts";
import { archiveImage } from "../../src/output/docker-archive.ts";
import { breakLayer, makeHugeLayer, makeImage, makeLayer, readAll } from "./sample-image.ts";

interface Found {
  readonly name: string;
  readonly mode: number;
  readonly mtime: number;
  readonly owner: readonly [number, number];
  readonly bytes: Buffer;
}

async function readArchive(bytes: Buffer): Promise<Found[]> {
  const reader = extract();
  reader.end(bytes);
  const found: Found[] = [];
  for await (const entry of reader) {
    const { name, mode, mtime, uid, gid } = entry.header;
    found.push({ name, mode, mtime: mtime.getTime(), owner: [uid, gid], bytes: await readAll(entry) });
  }
  return found;
}

function archive(image: EncodedImage, ...destinations: string[]): Promise<Buffer> {
  return readAll(archiveImage(image, destinations.map(parseReference)));
}

function temporary(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), "slipway-archive-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test("the archive has the configuration, each layer once, and manifest.json last", async () => {
  const a = await makeLayer({ a: "a" }, "gzip");
  const b = await makeLayer({ b: "b" }, "none");
  const image = makeImage([a, b, a]);
  const found = await readArchive(await archive(image, "registry.example/app:1"));
  const name = (layer: typeof a, suffix: string) => `${hexOf(layer.descriptor.digest)}${suffix}`;
  const config = image.config.descriptor.digest;
  assert.deepEqual(
    found.map((entry) => entry.name),
    [config, name(a, ".tar.gz"), name(b, ".tar"), "manifest.json"],
  );
  for (const entry of found) assert.deepEqual([entry.mode, entry.mtime, entry.owner], [0o644, 0, [0, 0]], entry.name);
  assert.deepEqual(found[0]?.bytes, Buffer.from(image.config.bytes));
  assert.deepEqual(found[1]?.bytes, await readAll(a.open()));
  assert.deepEqual(JSON.parse(String(found[3]?.bytes)), [
    { Config: config, RepoTags: ["registry.example/app:1"], Layers: [name(a, ".tar.gz"), name(b, ".tar"), name(a, ".tar.gz")] },
  ]);
});

const tags: [destinations: string[], tags: string[]][] = [
  [[], ["docker.io/unset-repo/unset-image-name:latest"]],
  [["alpine"], ["docker.io/library/alpine:latest"]],
  [["index.docker.io/library/alpine:3"], ["docker.io/library/alpine:3"]],
  [["user/app:1"], ["docker.io/user/app:1"]],
  [
    ["gcr.io/p/app", "localhost:5000/app:x"],
    ["gcr.io/p/app:latest", "localhost:5000/app:x"],
  ],
  [["a:1", "docker.io/library/a:1"], ["docker.io/library/a:1"]],
];

test("the image is tagged with its destinations in full", async () => {
  for (const [destinations, expected] of tags) {
    const found = await readArchive(await archive(makeImage([]), ...destinations));
    assert.deepEqual(JSON.parse(String(found.at(-1)?.bytes))[0].RepoTags, expected, destinations.join());
  }
});

test("the same image gives the same bytes", async () => {
  const image = makeImage([await makeLayer({ a: "a" }, "gzip")]);
  assert.ok((await archive(image, "a")).equals(await archive(image, "a")));
});

test("a layer that fails, fails the archive; a reader that stops, stops it", async () => {
  const layer = await makeLayer({ a: "x".repeat(10_000) }, "none");
  await assert.rejects(archive(makeImage([breakLayer(layer)])), /the blob is not what its digest says/);
  for await (const chunk of archiveImage(makeImage([makeHugeLayer(1 << 30)]), [])) {
    assert.ok(chunk.length > 0);
    break;
  }
  const short = { ...layer, descriptor: { ...layer.descriptor, size: layer.descriptor.size + 1 } };
  await assert.rejects(archive(makeImage([short])), /Size mismatch/);
  const stop = new AbortController();
  await assert.rejects(async () => {
    for await (const _ of archiveImage(makeImage([makeHugeLayer(1 << 30)]), [], stop.signal)) stop.abort(new Error("cancelled"));
  }, /cancelled/);
});

test("memory does not grow with the archive", async () => {
  let size = 0;
  let peak = 0;
  const before = process.memoryUsage().rss;
  for await (const chunk of archiveImage(makeImage([makeHugeLayer(512 << 20)]), [])) {
    size += chunk.length;
    peak = Math.max(peak, process.memoryUsage().rss);
  }
  assert.ok(size > 512 << 20);
  assert.ok(peak - before < 100 << 20, `grew by ${(peak - before) >> 20} MiB`);
});

for (const [compression, family] of [
  ["gzip", "oci"],
  ["none", "docker"],
  ["zstd", "oci"],
] as const) {
  test(`skopeo and umoci read and unpack an archive with layers of compression ${compression}`, async (t) => {
    const layers = [
      await makeLayer({ hello: "one", gone: "x" }, compression, family),
      await makeLayer({ hello: "two", ".wh.gone": "" }, compression, family),
    ];
    const image = makeImage(layers, family);
    const directory = temporary(t);
    const tar = path.join(directory, "image.tar");
    writeFileSync(tar, await archive(image, "user/app:1", "registry.example/app:2"));
    const inspected = JSON.parse(execFileSync("skopeo", ["inspect", "--config", `docker-archive:${tar}`], { encoding: "utf8" }));
    assert.deepEqual(inspected.rootfs.diff_ids, image.image.config.rootfs.diff_ids);
    execFileSync("skopeo", [
      "--insecure-policy",
      "copy",
      "-q",
      `docker-archive:${tar}:registry.example/app:2`,
      `oci:${directory}/layout:x`,
    ]);
    execFileSync("umoci", ["unpack", "--rootless", "--image", `${directory}/layout:x`, `${directory}/bundle`], { stdio: "pipe" });
    assert.equal(readFileSync(`${directory}/bundle/rootfs/hello`, "utf8"), "two");
    assert.ok(!existsSync(`${directory}/bundle/rootfs/gone`));
  });
}

test("podman loads the archive under its names", async (t) => {
  const image = makeImage([await makeLayer({ hello: "one" }, "gzip")]);
  const directory = temporary(t);
  const tar = path.join(directory, "image.tar");
  writeFileSync(tar, await archive(image, "user/app:1", "registry.example/app:2"));
  const podman = (...args: string[]) =>
    execFileSync("podman", ["--storage-driver", "vfs", "--root", `${directory}/root`, "--runroot", `${directory}/run`, ...args], {
      encoding: "utf8",
      stdio: "pipe",
    });
  podman("load", "-q", "-i", tar);
  const [inspected] = JSON.parse(podman("image", "inspect", "registry.example/app:2"));
  assert.equal(`sha256:${inspected.Id}`, image.config.descriptor.digest);
  assert.deepEqual(inspected.RepoTags.toSorted(), ["docker.io/user/app:1", "registry.example/app:2"]);
});
