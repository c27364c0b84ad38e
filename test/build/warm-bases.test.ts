// Base images that were put into a directory, and builds that find them there.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type WarmRequest, warm } from "../../src/build/warm.ts";
import type { EncodedImage } from "../../src/image/encode.ts";
import { hostPlatform } from "../../src/image/platform.ts";
import { parseReference } from "../../src/image/reference.ts";
import { defaultRegistryOptions } from "../../src/registry/registry.ts";
import { fileItem, openBuilder, putBase, temporaryDirectory } from "../support/build.ts";
import { startRegistry } from "../support/registry.ts";
import { putDocument } from "../support/registry-image.ts";

async function openWarmer(t: TestContext) {
  const registry = await startRegistry(t);
  const base = await putBase(t, registry, "base:1", [[fileItem("a", "1")], [fileItem("b", "2")]]);
  const directory = join(await temporaryDirectory(t), "bases");
  const builder = await openBuilder(t);
  const image = (name: string) => parseReference(`${registry.host}/${name}`);
  const keep = (more: Partial<WarmRequest> = {}) => {
    const request: WarmRequest = {
      images: [image("base:1")],
      dockerfile: undefined,
      workingDirectory: "/",
      buildArgs: new Map(),
      platform: hostPlatform(),
      directory,
      maxAge: 3600,
      force: false,
      registry: defaultRegistryOptions,
      ...more,
    };
    return warm(request, { report: { emit() {}, mask() {} }, signal: new AbortController().signal });
  };
  /** Asks the registry again for what it needs, and gives those requests. */
  const build = async (from: string, maxAge = 3600) => {
    const before = registry.requests.length;
    builder.events.length = 0;
    const tarPath = join(directory, "..", "image.tar");
    // The owner has to be looked up, so the layers below are read.
    const dockerfile = `FROM ${registry.host}/${from}\nCOPY --chown=0:0 Dockerfile /c/`;
    await builder.build({ Dockerfile: dockerfile }, { baseFolder: { directory, maxAge }, outputs: { tarPath } });
    const warnings = builder.events.flatMap((event) => (event.kind === "warning" ? [event.text] : []));
    return {
      asked: registry.requests.slice(before).map(({ method, path }) => `${method} ${path.replace(/^.*\/(manifests|blobs)\//, "$1 ")}`),
      warnings,
    };
  };
  return { registry, base, directory, keep, build, image };
}

function digestsOf({ image, config }: EncodedImage): string[] {
  return [config.descriptor.digest, ...image.layers.map(({ descriptor }) => descriptor.digest)];
}

function outcomesOf(warmed: Awaited<ReturnType<typeof warm>>) {
  return warmed.map(({ outcome }) => (outcome instanceof Error ? outcome.message : outcome));
}

test("an image is put there whole, as a layout named by its digest", async (t) => {
  const { base, directory, keep } = await openWarmer(t);
  const { digest } = base.manifest.descriptor;
  assert.deepEqual(outcomesOf(await keep()), [{ digest, isNew: true }]);
  assert.deepEqual(readdirSync(directory), [digest]);
  const blobs = readdirSync(join(directory, digest, "blobs", "sha256")).map((name) => `sha256:${name}`);
  assert.deepEqual(blobs.sort(), [digest, ...digestsOf(base)].sort());
  const index = JSON.parse(readFileSync(join(directory, digest, "index.json"), "utf8"));
  assert.equal(index.manifests[0].digest, digest);
});

test("a build asks for the tag alone, and by digest for nothing", async (t) => {
  const { base, keep, build } = await openWarmer(t);
  await keep();
  assert.deepEqual(
    (await build("base:1")).asked.filter((one) => !one.endsWith("/v2/")),
    ["GET manifests 1"],
  );
  assert.deepEqual((await build(`base@${base.manifest.descriptor.digest}`)).asked, []);
});

test("what is there is not pulled again, unless that is asked for or something is missing", async (t) => {
  const { registry, base, directory, keep } = await openWarmer(t);
  const { digest } = base.manifest.descriptor;
  await keep();
  const before = registry.count("GET", /blobs/);
  assert.deepEqual(outcomesOf(await keep()), [{ digest, isNew: false }]);
  assert.equal(registry.count("GET", /blobs/) - before, 1, "the configuration");
  assert.deepEqual(outcomesOf(await keep({ force: true })), [{ digest, isNew: true }]);
  const layer = join(directory, digest, "blobs", "sha256", base.image.layers[0]?.descriptor.digest.slice(7) ?? "");
  writeFileSync(layer, "");
  assert.deepEqual(outcomesOf(await keep()), [{ digest, isNew: true }]);
  assert.ok(statSync(layer).size > 0);
  assert.deepEqual(readdirSync(directory), [digest]);
});

test("an image that is too old is pulled by builds, until it is warmed again", async (t) => {
  const { base, directory, keep, build } = await openWarmer(t);
  await keep();
  const old = new Date(Date.now() - 7200_000);
  utimesSync(join(directory, base.manifest.descriptor.digest, "index.json"), old, old);
  assert.ok((await build("base:1")).asked.length > 2);
  assert.deepEqual(outcomesOf(await keep()), [{ digest: base.manifest.descriptor.digest, isNew: false }]);
  assert.equal((await build("base:1")).asked.filter((one) => /blobs/.test(one)).length, 0);
});

const damages: Readonly<Record<string, (image: string, base: EncodedImage) => void>> = {
  "a layer with other bytes": (image, base) => {
    const file = join(image, "blobs", "sha256", base.image.layers[0]?.descriptor.digest.slice(7) ?? "");
    const bytes = readFileSync(file);
    bytes[12] = 255 - (bytes[12] ?? 0);
    writeFileSync(file, bytes);
  },
  "an index that is no JSON": (image) => writeFileSync(join(image, "index.json"), "{"),
};
for (const [what, damage] of Object.entries(damages))
  test(`${what} is passed over with a warning`, async (t) => {
    const { base, directory, keep, build } = await openWarmer(t);
    await keep();
    damage(join(directory, base.manifest.descriptor.digest), base);
    const { asked, warnings } = await build("base:1");
    assert.match(warnings.join("\n"), /Cannot use .*; it is pulled instead/);
    assert.ok(asked.some((one) => /^GET blobs/.test(one)));
  });

test("tars of an older kaniko are named in a warning", async (t) => {
  const { base, directory, keep, build } = await openWarmer(t);
  await keep();
  writeFileSync(join(directory, `sha256:${"0".repeat(64)}`), "tar");
  const { asked, warnings } = await build(`base@${base.manifest.descriptor.digest}`);
  assert.match(warnings.join("\n"), /tars of an older kaniko/);
  assert.deepEqual(asked, []);
});

test("a Dockerfile's images are those of its FROM lines, each once and with their arguments", async (t) => {
  const { registry, base, directory, keep, image } = await openWarmer(t);
  const other = await putBase(t, registry, "other:2", [[fileItem("a", "3")]]);
  const dockerfile = join(await temporaryDirectory(t), "Dockerfile");
  writeFileSync(
    dockerfile,
    `ARG TAG=none\nFROM ${registry.host}/base:1 AS one\nFROM ${registry.host}/other:$TAG AS two\nFROM one\nFROM scratch\nFROM ${registry.host}/base:1\n`,
  );
  const warmed = await keep({ images: [image("base:1")], dockerfile, buildArgs: new Map([["TAG", "2"]]) });
  assert.deepEqual(
    warmed.map(({ image: name }) => name),
    [`${registry.host}/base:1`, `${registry.host}/other:2`],
  );
  assert.deepEqual(readdirSync(directory).sort(), [base, other].map(({ manifest }) => manifest.descriptor.digest).sort());
});

test("of an index the image for the platform is taken", async (t) => {
  const { registry, base, directory, keep, image, build } = await openWarmer(t);
  const descriptor = { ...base.manifest.descriptor, platform: hostPlatform() };
  const type = "application/vnd.oci.image.index.v1+json";
  putDocument(registry, "base", "many", type, { schemaVersion: 2, mediaType: type, manifests: [descriptor] });
  await keep({ images: [image("base:many")] });
  assert.deepEqual(readdirSync(directory), [descriptor.digest]);
  assert.deepEqual(
    (await build("base:many")).asked.filter((one) => !one.endsWith("/v2/")),
    ["GET manifests many"],
  );
});

test("an image that cannot be had stops no other", async (t) => {
  const { keep, image } = await openWarmer(t);
  const [missing, there] = outcomesOf(await keep({ images: [image("nope:1"), image("base:1")] }));
  assert.match(String(missing), /nope:1/);
  assert.equal((there as { isNew: boolean }).isNew, true);
});

test("a directory that cannot be made is named", async (t) => {
  const { keep } = await openWarmer(t);
  await assert.rejects(keep({ directory: "/dev/null/bases" }), /Cannot make "\/dev\/null\/bases": .*--cache-dir/);
});
