// Images in OCI layouts: which one a name means, and that nothing of it is taken unverified.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hexOf } from "../../src/image/digest.ts";
import { digestOf } from "../../src/image/encode.ts";
import type { LayoutReference } from "../../src/image/layout.ts";
import type { Platform } from "../../src/image/platform.ts";
import { resolveLayout } from "../../src/registry/registry.ts";
import { makeImage, makeLayer, readAll } from "../output/sample-image.ts";
import { temporaryDirectory } from "../support/build.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const arm64 = { os: "linux", architecture: "arm64" };
const oci = "application/vnd.oci.image";

interface Named {
  readonly tag?: string;
  readonly text: string;
  readonly platform?: Platform;
}

/** A layout with an image for each of the names, and the digests of their manifests. */
async function makeLayout(t: TestContext, names: readonly Named[]) {
  const directory = await temporaryDirectory(t);
  mkdirSync(join(directory, "blobs/sha256"), { recursive: true });
  const put = (bytes: Uint8Array) => {
    writeFileSync(join(directory, "blobs/sha256", hexOf(digestOf(bytes))), bytes);
    return { digest: digestOf(bytes), size: bytes.length };
  };
  const manifests = [];
  for (const { tag, text, platform } of names) {
    const layer = await makeLayer({ text }, "gzip");
    const { config, manifest } = makeImage([layer]);
    put(await readAll(layer.open()));
    put(config.bytes);
    put(manifest.bytes);
    const annotations = tag === undefined ? undefined : { "org.opencontainers.image.ref.name": tag };
    manifests.push({ ...manifest.descriptor, annotations, platform });
  }
  const writeIndex = (entries: readonly object[]) =>
    writeFileSync(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: entries }));
  writeIndex(manifests);
  return { directory, put, writeIndex, manifests };
}

const which: readonly [what: string, names: readonly Named[], tag: string | undefined, expected: number | RegExp][] = [
  ["the only one", [{ text: "a" }], undefined, 0],
  ["the only one, whatever it is called", [{ text: "a", tag: "v1" }], undefined, 0],
  ["the only one has no tag", [{ text: "a" }], "v1", 0],
  [
    "the tag",
    [
      { text: "a", tag: "v1" },
      { text: "b", tag: "v2" },
    ],
    "v2",
    1,
  ],
  [
    "latest of several",
    [
      { text: "a", tag: "v1" },
      { text: "b", tag: "latest" },
    ],
    undefined,
    1,
  ],
  [
    "the first of a tag",
    [
      { text: "a", tag: "v1" },
      { text: "b", tag: "v1" },
    ],
    "v1",
    0,
  ],
  ["another tag", [{ text: "a", tag: "v1" }], "v2", /there is no tag v2; it has v1$/],
  [
    "no latest",
    [
      { text: "a", tag: "v1" },
      { text: "b", tag: "v2" },
    ],
    undefined,
    /there is no tag latest; it has v1, v2$/,
  ],
  ["several without tags", [{ text: "a" }, { text: "b" }], undefined, /there is no tag latest; its images have no tags$/],
  ["nothing", [], undefined, /there is no tag latest; it holds no image$/],
];

for (const [what, names, tag, expected] of which)
  test(`a layout is asked for ${tag ?? "no tag"}: ${what}`, async (t) => {
    const { directory, manifests } = await makeLayout(t, names);
    const resolving = resolveLayout({ directory, ...(tag === undefined ? {} : { tag }) }, amd64);
    if (typeof expected === "number") assert.equal((await resolving).digest, manifests[expected]?.digest);
    else await assert.rejects(resolving, { name: "RegistryError", message: expected });
  });

test("a digest needs no index, and an index in it is narrowed to the platform", async (t) => {
  const { directory, manifests, put, writeIndex } = await makeLayout(t, [
    { text: "amd", platform: amd64 },
    { text: "arm", platform: arm64 },
  ]);
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: `${oci}.index.v1+json`, manifests }));
  const index = { mediaType: `${oci}.index.v1+json`, ...put(bytes) };
  writeIndex([index]);
  const image = await resolveLayout({ directory }, arm64);
  assert.deepEqual([image.digest, image.manifestDigest, image.platform], [index.digest, manifests[1]?.digest, arm64]);
  const s390x = { os: "linux", architecture: "s390x" };
  await assert.rejects(resolveLayout({ directory }, s390x), /no match for platform in manifest .* it offers linux\/amd64, linux\/arm64/);
  rmSync(join(directory, "index.json"));
  const digest = manifests[0]?.digest ?? assert.fail();
  assert.equal((await resolveLayout({ directory, digest }, amd64)).digest, digest);
});

const broken: readonly [what: string, harm: (file: (number: number) => string) => void, message: RegExp][] = [
  ["a manifest with a wrong bit", (file) => harm(file(2)), /Cannot pull "oci-layout:.*": .* sent a manifest with the digest/],
  ["a configuration with a wrong bit", (file) => harm(file(1)), /sent a configuration with the digest/],
  ["a layer with a wrong bit", (file) => harm(file(0)), /Cannot read blob "sha256:.*": its bytes have the digest/],
  ["a manifest that is not there", (file) => rmSync(file(2)), /Cannot use "oci-layout:.*": .*blobs\/sha256\/[0-9a-f]+ is not there$/],
];

function harm(path: string): void {
  const bytes = readFileSync(path);
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

for (const [what, action, message] of broken)
  test(`refused: ${what}`, async (t) => {
    const layer = await makeLayer({ text: "x" }, "gzip");
    const { config, manifest } = makeImage([layer]);
    const { directory } = await makeLayout(t, [{ text: "x" }]);
    const digests = [layer.descriptor.digest, config.descriptor.digest, manifest.descriptor.digest];
    action((number) => join(directory, "blobs/sha256", hexOf(digests[number] ?? assert.fail())));
    const reading = resolveLayout({ directory }, amd64).then((image) => readAll(image.layers[0]?.open() ?? assert.fail()));
    await assert.rejects(reading, { message });
  });

test("what is no layout is told", async (t) => {
  const directory = await temporaryDirectory(t);
  const reference: LayoutReference = { directory };
  await assert.rejects(resolveLayout(reference, amd64), /Cannot use "oci-layout:.*": .*\/index\.json is not there$/);
  writeFileSync(join(directory, "index.json"), "{");
  await assert.rejects(resolveLayout(reference, amd64), /its manifest is no JSON/);
});
