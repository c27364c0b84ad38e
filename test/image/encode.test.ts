// The exact bytes of configurations and manifests, and the history that goes with layers.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isDigest } from "../../src/image/digest.ts";
import { alignHistory, digestOf, encodeImage, isForeignLayer, layerDescriptor } from "../../src/image/encode.ts";
import type { History, Image, ImageConfig, Layer } from "../../src/image/image.ts";

function layerOf(
  text: string,
  mediaType = "application/vnd.oci.image.layer.v1.tar+gzip",
  compression: Layer["compression"] = "gzip",
): Layer {
  const bytes = Buffer.from(text);
  return {
    descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
    diffId: digestOf(Buffer.from(`diff ${text}`)),
    compression,
    async *open() {
      yield bytes;
    },
  };
}

function imageOf(layers: readonly Layer[], history: readonly History[], family: Image["family"] = "oci"): Image {
  const config: ImageConfig = {
    os: "linux",
    architecture: "amd64",
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history,
  };
  return { family, config, layers };
}

const decode = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()) as unknown;

test("a configuration has sorted keys and no white space, a manifest is indented by two", () => {
  const encoded = encodeImage(imageOf([], []), { document: { b: "2", a: "1" }, descriptor: { c: "3" } });
  assert.equal(
    Buffer.from(encoded.config.bytes).toString(),
    '{"architecture":"amd64","history":[],"os":"linux","rootfs":{"diff_ids":[],"type":"layers"}}',
  );
  assert.equal(
    Buffer.from(encoded.manifest.bytes).toString(),
    `{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "config": {
    "mediaType": "application/vnd.oci.image.config.v1+json",
    "digest": "${digestOf(encoded.config.bytes)}",
    "size": ${encoded.config.bytes.length}
  },
  "layers": [],
  "annotations": {
    "a": "1",
    "b": "2"
  }
}`,
  );
  assert.deepEqual(encoded.manifest.descriptor.annotations, { c: "3" });
});

const relabelled: [family: Image["family"], compression: Layer["compression"], mediaType: string][] = [
  ["oci", "gzip", "application/vnd.oci.image.layer.v1.tar+gzip"],
  ["oci", "zstd", "application/vnd.oci.image.layer.v1.tar+zstd"],
  ["oci", "none", "application/vnd.oci.image.layer.v1.tar"],
  ["docker", "gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip"],
  ["docker", "zstd", "application/vnd.docker.image.rootfs.diff.tar.zstd"],
  ["docker", "none", "application/vnd.docker.image.rootfs.diff.tar"],
];

test("layers take the media type of the image's family", () => {
  for (const [family, compression, mediaType] of relabelled) {
    const layer = layerOf("x", "application/octet-stream", compression);
    assert.equal(layerDescriptor(layer, family).mediaType, mediaType);
  }
});

test("foreign layers keep their descriptor in every family", () => {
  for (const mediaType of [
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
  ]) {
    assert.ok(isForeignLayer(mediaType));
    const layer = layerOf("x", mediaType);
    const withUrls = { ...layer, descriptor: { ...layer.descriptor, urls: ["https://example.com/x"] } };
    for (const family of ["oci", "docker"] as const) assert.deepEqual(layerDescriptor(withUrls, family), withUrls.descriptor);
  }
  assert.ok(!isForeignLayer("application/vnd.oci.image.layer.v1.tar+gzip"));
});

test("a descriptor has only what a manifest may say of a layer", () => {
  const layer = layerOf("x");
  const annotated = {
    ...layer,
    descriptor: { ...layer.descriptor, annotations: { k: "v" }, platform: { os: "linux", architecture: "amd64" } },
  };
  assert.deepEqual(Object.keys(layerDescriptor(annotated, "oci")), ["mediaType", "digest", "size", "annotations"]);
});

test("what does not align is not encoded", () => {
  const layer = layerOf("x");
  const rows: [image: Image, message: RegExp][] = [
    [imageOf([layer], []), /history has 0 layers, the image has 1/],
    [imageOf([layer], [{}, {}]), /history has 2 layers, the image has 1/],
    [imageOf([], [{}]), /history has 1 layers, the image has 0/],
    [{ ...imageOf([], [{}]), layers: [layer] }, /its configuration lists 0 layers, not the 1 that it has/],
    [{ ...imageOf([layer], [{}]), layers: [layerOf("y")] }, /lists other layers than it has/],
  ];
  for (const [image, message] of rows) assert.throws(() => encodeImage(image), { message }, String(message));
});

const history = fc.array(
  fc.record({ created_by: fc.string(), empty_layer: fc.boolean() }, { requiredKeys: ["created_by"], noNullPrototype: true }),
  {
    maxLength: 6,
  },
);
const stack = fc.array(fc.string(), { maxLength: 5 }).map((texts) => texts.map((text, i) => layerOf(`${i} ${text}`)));

test("any history can be aligned with any layers, and then the image can be encoded and read back", () => {
  fc.assert(
    fc.property(stack, history, fc.constantFrom("oci" as const, "docker" as const), (layers, lines, family) => {
      const image = imageOf(layers, lines, family);
      const config = alignHistory(image.config);
      const encoded = encodeImage({ ...image, config });
      assert.deepEqual(decode(encoded.config.bytes), config);
      assert.deepEqual(alignHistory(config), config);
      assert.equal(config.history?.filter((line) => !line.empty_layer).length, layers.length);
      for (const { bytes, descriptor } of [encoded.config, encoded.manifest]) {
        assert.equal(descriptor.digest, digestOf(bytes));
        assert.equal(descriptor.size, bytes.length);
      }
    }),
  );
});

test("a history that aligns stays as it is; lines keep their order and text", () => {
  fc.assert(
    fc.property(stack, history, (layers, lines) => {
      const { config } = imageOf(layers, lines);
      const aligned = alignHistory(config).history ?? [];
      assert.deepEqual(
        aligned.slice(aligned.length - lines.length).map((line) => line.created_by),
        lines.map((line) => line.created_by),
      );
      if (lines.filter((line) => !line.empty_layer).length === layers.length) assert.deepEqual(aligned, lines);
    }),
  );
});

test("the order of keys does not matter, equal images give equal bytes", () => {
  const base = imageOf([], []);
  const there: ImageConfig = { ...base.config, config: { Env: ["A=1"], Cmd: ["x"], Labels: { b: "2", a: "1" } } };
  const { rootfs, history: lines, os, architecture } = base.config;
  const back: ImageConfig = {
    config: { Labels: { a: "1", b: "2" }, Cmd: ["x"], Env: ["A=1"] },
    history: lines ?? [],
    rootfs,
    os,
    architecture,
  };
  assert.deepEqual(encodeImage({ ...base, config: there }).config, encodeImage({ ...base, config: back }).config);
});

test("unknown keys of a configuration are kept, whatever their names", () => {
  const base = imageOf([], []);
  const text =
    '{"__proto__":{"k":1},"architecture":"amd64","os":"linux","rootfs":{"diff_ids":[],"type":"layers"},"zz":{"x":[{"a":2,"b":1}],"y":null}}';
  const config = JSON.parse(text) as ImageConfig;
  assert.equal(Buffer.from(encodeImage({ ...base, config }).config.bytes).toString(), text);
});

test("a digest is sha256 and 64 lower-case hex digits", () => {
  const hex = "ab".repeat(32);
  assert.ok(isDigest(`sha256:${hex}`));
  for (const text of [
    "",
    hex,
    `sha256:${hex}0`,
    `sha256:${hex.slice(1)}`,
    `sha256:${hex.toUpperCase()}`,
    `sha512:${hex}`,
    `sha256:${hex}\n`,
  ]) {
    assert.ok(!isDigest(text), text);
  }
});
