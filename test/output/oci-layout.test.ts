// OCI layout directories, alone and with what earlier builds left in them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { hexOf } from "../../src/image/digest.ts";
import { digestOf, type EncodedImage, encodeRelease } from "../../src/image/encode.ts";
import { parseReference } from "../../src/image/reference.ts";
import { prepareLayout } from "../../src/output/oci-layout.ts";
import { breakLayer, makeImage, makeLayer } from "./sample-image.ts";

function temporary(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), "slipway-layout-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function write(directory: string, image: EncodedImage, ...destinations: string[]): Promise<void> {
  await (await prepareLayout(directory, encodeRelease([image]), destinations.map(parseReference))).commit();
}

const readIndex = (directory: string) => JSON.parse(readFileSync(path.join(directory, "index.json"), "utf8"));
const listFiles = (directory: string) =>
  existsSync(directory) ? readdirSync(directory, { recursive: true, encoding: "utf8" }).sort() : undefined;

for (const [family, compression] of [
  ["oci", "gzip"],
  ["oci", "zstd"],
  ["docker", "gzip"],
] as const) {
  test(`skopeo and umoci read a layout of family ${family} with ${compression}`, async (t) => {
    const directory = path.join(temporary(t), "deep/layout");
    const image = makeImage([await makeLayer({ hello: "one" }, compression, family)], family);
    await write(directory, image, "registry.example/app:v1");
    // Skopeo 1.9 looks for names among OCI manifests alone.
    for (const name of [`oci:${directory}`, ...(family === "oci" ? [`oci:${directory}:v1`] : [])]) {
      const inspected = JSON.parse(execFileSync("skopeo", ["inspect", name], { encoding: "utf8" }));
      assert.equal(inspected.Digest, image.manifest.descriptor.digest, name);
    }
    if (family === "oci" && compression === "gzip") {
      execFileSync("umoci", ["unpack", "--rootless", "--image", `${directory}:v1`, `${directory}/../bundle`], { stdio: "pipe" });
      assert.equal(readFileSync(`${directory}/../bundle/rootfs/hello`, "utf8"), "one");
    }
    for (const file of readdirSync(path.join(directory, "blobs/sha256")))
      assert.equal(digestOf(readFileSync(path.join(directory, "blobs/sha256", file))), `sha256:${file}`);
    assert.deepEqual(JSON.parse(readFileSync(path.join(directory, "oci-layout"), "utf8")), { imageLayoutVersion: "1.0.0" });
  });
}

const named: [destinations: string[], annotations: Record<string, string> | undefined][] = [
  [[], undefined],
  [["alpine"], { "io.containerd.image.name": "docker.io/library/alpine:latest", "org.opencontainers.image.ref.name": "latest" }],
  [["x.io/a:1"], { "io.containerd.image.name": "x.io/a:1", "org.opencontainers.image.ref.name": "1" }],
  [["x.io/a:1", "x.io/a:2"], undefined],
];

test("the index names the one image, and its tag where there is only one", async (t) => {
  const image = makeImage([await makeLayer({ a: "a" }, "gzip")]);
  for (const [destinations, annotations] of named) {
    const directory = path.join(temporary(t), "layout");
    await write(directory, image, ...destinations);
    assert.deepEqual(readIndex(directory), {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [{ ...image.manifest.descriptor, ...(annotations === undefined ? {} : { annotations }) }],
    });
    execFileSync("skopeo", ["inspect", `oci:${directory}`], { stdio: "pipe" });
  }
});

test("a second image replaces the index and keeps older blobs", async (t) => {
  const directory = temporary(t);
  const shared = await makeLayer({ a: "a" }, "gzip");
  const first = makeImage([shared]);
  await write(directory, first);
  const blob = path.join(directory, "blobs/sha256", hexOf(shared.descriptor.digest));
  utimesSync(blob, 1000, 1000);
  const second = makeImage([shared, await makeLayer({ b: "b" }, "gzip")]);
  await write(directory, second);
  assert.equal(readIndex(directory).manifests.length, 1);
  assert.equal(readIndex(directory).manifests[0].digest, second.manifest.descriptor.digest);
  assert.ok(existsSync(path.join(directory, "blobs/sha256", hexOf(first.manifest.descriptor.digest))));
  assert.equal(statSync(blob).mtimeMs, 1_000_000, "a blob that is there is not written again");
});

test("a blob of the wrong size is written again", async (t) => {
  const directory = temporary(t);
  const image = makeImage([await makeLayer({ a: "a" }, "gzip")]);
  const blob = path.join(directory, "blobs/sha256", hexOf(image.config.descriptor.digest));
  mkdirSync(path.dirname(blob), { recursive: true });
  writeFileSync(blob, "cut");
  await write(directory, image);
  assert.deepEqual(readFileSync(blob), Buffer.from(image.config.bytes));
});

test("the index appears only with the commit; discarding takes everything new away", async (t) => {
  const image = makeImage([await makeLayer({ a: "a" }, "gzip")]);
  const fresh = path.join(temporary(t), "a/b/layout");
  const pending = await prepareLayout(fresh, encodeRelease([image]), []);
  assert.ok(!existsSync(path.join(fresh, "index.json")));
  await pending.discard();
  assert.ok(!existsSync(path.join(fresh, "../..")));

  const used = temporary(t);
  await write(used, makeImage([]));
  const before = listFiles(used);
  const index = readIndex(used);
  await (await prepareLayout(used, encodeRelease([image]), [])).discard();
  assert.deepEqual(listFiles(used), before);
  assert.deepEqual(readIndex(used), index);
});

test("discarding after the commit takes a new layout away, and leaves a replaced one whole", async (t) => {
  const directory = path.join(temporary(t), "layout");
  const image = makeImage([await makeLayer({ a: "a" }, "gzip")]);
  const fresh = await prepareLayout(directory, encodeRelease([image]), []);
  await fresh.commit();
  await fresh.discard();
  assert.equal(listFiles(directory), undefined);

  await write(directory, makeImage([]));
  const replacing = await prepareLayout(directory, encodeRelease([image]), []);
  await replacing.commit();
  await replacing.discard();
  const copied = JSON.parse(execFileSync("skopeo", ["inspect", `oci:${directory}`], { encoding: "utf8" }));
  assert.equal(copied.Digest, image.manifest.descriptor.digest);
  assert.ok(
    existsSync(path.join(directory, "blobs/sha256", hexOf(image.image.layers[0]?.descriptor.digest ?? image.config.descriptor.digest))),
  );
});

test("a broken layer leaves nothing", async (t) => {
  const layer = await makeLayer({ a: "a" }, "gzip");
  const directory = path.join(temporary(t), "layout");
  const image = makeImage([layer, breakLayer(await makeLayer({ b: "b" }, "gzip"))]);
  await assert.rejects(prepareLayout(directory, encodeRelease([image]), []), /the blob is not what its digest says/);
  assert.equal(listFiles(directory), undefined);
});

test("a target that is no directory is named", async (t) => {
  const file = path.join(temporary(t), "file");
  writeFileSync(file, "x");
  await assert.rejects(prepareLayout(file, encodeRelease([makeImage([])]), []), {
    message: `Cannot write "${file}": "${file}" is no directory`,
  });
  assert.equal(readFileSync(file, "utf8"), "x");
});
