// Indexes of images that were pushed one by one.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type MergeRequest, mergeImages } from "../../src/build/merge.ts";
import { mediaTypes } from "../../src/image/encode.ts";
import { parsePlatform } from "../../src/image/platform.ts";
import { parseReference } from "../../src/image/reference.ts";
import { defaultRegistryOptions } from "../../src/registry/registry.ts";
import { fileItem, putBase, temporaryDirectory } from "../support/build.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { putDocument } from "../support/registry-image.ts";

function merge(sources: readonly string[], destinations: readonly string[], more: Partial<MergeRequest> = {}) {
  const request: MergeRequest = {
    sources: sources.map(parseReference),
    destinations: destinations.map(parseReference),
    annotations: [],
    outputs: {},
    registry: defaultRegistryOptions,
    ...more,
  };
  return mergeImages(request, { report: { emit() {}, mask() {} }, signal: new AbortController().signal });
}

function indexAt(registry: TestRegistry, repository: string, tag: string) {
  return JSON.parse(registry.repositories.get(repository)?.manifests.get(tag)?.bytes.toString() ?? "null");
}

describe("mergeImages", () => {
  test("pushes an index whose images keep their digests, and mounts their layers", async (t) => {
    const registry = await startRegistry(t);
    const one = await putBase(t, registry, "app:amd", [[fileItem("a", "1")]], {}, "amd64");
    const two = await putBase(t, registry, "other:arm", [[fileItem("a", "2")]], {}, "arm64");
    const digestFile = join(await temporaryDirectory(t), "digest");
    const digests = [one, two].map((image) => image.manifest.descriptor.digest);
    const sources = [`${registry.host}/app@${digests[0]}`, `${registry.host}/other:arm`];
    const { digest } = await merge(sources, [`${registry.host}/app:1`, `${registry.host}/app:2`], { outputs: { digestFile } });
    const index = indexAt(registry, "app", "1");
    assert.deepEqual(
      index.manifests.map((part: { digest: string; platform: { architecture: string } }) => [part.digest, part.platform.architecture]),
      [
        [digests[0], "amd64"],
        [digests[1], "arm64"],
      ],
    );
    assert.equal(index.mediaType, mediaTypes.docker.index);
    assert.deepEqual(indexAt(registry, "app", "2"), index);
    assert.ok(registry.repositories.get("app")?.manifests.has(digests[1] ?? ""));
    assert.equal(registry.count("PUT", /uploads.*digest=/) + registry.count("PATCH", /uploads/), 1, "the foreign configuration alone");
    assert.equal(readFileSync(digestFile, "utf8"), digest);
  });

  test("annotates the index and the descriptors in it, which then are OCI's", async (t) => {
    const registry = await startRegistry(t);
    await putBase(t, registry, "app:amd", [[fileItem("a", "1")]], {}, "amd64");
    await putBase(t, registry, "app:arm", [[fileItem("a", "2")]], {}, "arm64");
    const sources = [`${registry.host}/app:amd`, `${registry.host}/app:arm`];
    const annotations = [
      { level: "index", key: "title", value: "both" },
      { level: "manifest-descriptor", key: "of", value: "each" },
      { level: "manifest-descriptor", platform: parsePlatform("linux/arm64"), key: "of", value: "arm" },
    ] as const;
    await merge(sources, [`${registry.host}/app:1`], { annotations });
    const index = indexAt(registry, "app", "1");
    assert.equal(index.mediaType, mediaTypes.oci.index);
    assert.deepEqual(index.annotations, { title: "both" });
    assert.deepEqual(
      index.manifests.map((part: { annotations: unknown }) => part.annotations),
      [{ of: "each" }, { of: "arm" }],
    );
    const foreign = [{ level: "manifest-descriptor", platform: parsePlatform("linux/s390x"), key: "a", value: "b" }] as const;
    await assert.rejects(
      merge(sources, [`${registry.host}/app:2`], { annotations: foreign }),
      /Cannot annotate "linux\/s390x": the images are for linux\/amd64, linux\/arm64/,
    );
  });

  test("refuses two images of one platform, and indexes", async (t) => {
    const registry = await startRegistry(t);
    const image = await putBase(t, registry, "app:a", [[fileItem("a", "1")]], {}, "amd64");
    await putBase(t, registry, "app:b", [[fileItem("a", "2")]], {}, "amd64");
    const manifests = [{ ...image.manifest.descriptor, platform: { os: "linux", architecture: "amd64" } }];
    putDocument(registry, "app", "index", mediaTypes.oci.index, { schemaVersion: 2, mediaType: mediaTypes.oci.index, manifests });
    const to = [`${registry.host}/app:1`];
    await assert.rejects(merge([`${registry.host}/app:a`, `${registry.host}/app:b`], to), /both are for linux\/amd64/);
    await assert.rejects(merge([`${registry.host}/app:index`], to), /it is an index already/);
    assert.equal(indexAt(registry, "app", "1"), null);
  });
});
