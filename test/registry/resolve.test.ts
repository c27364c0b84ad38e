// What references name: manifests, indexes, platforms, and documents that are not what they should be.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { digestOf, mediaTypes } from "../../src/image/encode.ts";
import { type Platform, parsePlatform } from "../../src/image/platform.ts";
import { parseReference } from "../../src/image/reference.ts";
import { RegistryError } from "../../src/registry/registry.ts";
import { type Fault, startRegistry, type TestRegistry } from "../support/registry.ts";
import { makeBytes, openTestClient, putDocument, putImage, readAll } from "../support/registry-image.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const { oci, docker } = mediaTypes;

async function setUp(t: TestContext, options: Parameters<typeof openTestClient>[1] = {}) {
  const registry = await startRegistry(t);
  return { registry, ...openTestClient(t, options), at: (name: string) => parseReference(`${registry.host}/${name}`) };
}

/** An index of one image per platform; the last entry is an attestation. */
function putIndex(registry: TestRegistry, platforms: readonly string[], type: string = oci.index, named = true) {
  const manifests = platforms.map((text, i) => {
    const platform = parsePlatform(text);
    const { descriptor } = putImage(registry, "app", `p${i}`, { platform, layers: [makeBytes(100 + i)] }).manifest;
    return { ...descriptor, ...(named ? { platform } : {}) };
  });
  const attestation = { ...manifests[0], digest: `sha256:${"a".repeat(64)}`, platform: { os: "unknown", architecture: "unknown" } };
  const digest = putDocument(registry, "app", "multi", type, { schemaVersion: 2, mediaType: type, manifests: [attestation, ...manifests] });
  return { digest, manifests };
}

const choices: readonly { offered: readonly string[]; wanted: string; chosen: number }[] = [
  { offered: ["linux/amd64", "linux/arm64"], wanted: "linux/arm64", chosen: 1 },
  { offered: ["linux/arm/v6", "linux/arm/v7"], wanted: "linux/arm/v7", chosen: 1 },
  { offered: ["linux/arm/v5", "linux/arm/v6"], wanted: "linux/arm/v7", chosen: 1 },
  { offered: ["windows/amd64", "linux/amd64"], wanted: "linux/amd64", chosen: 1 },
];

for (const { offered, wanted, chosen } of choices) {
  test(`of ${offered.join(" and ")}, ${wanted} gets number ${chosen}`, async (t) => {
    for (const type of [oci.index, docker.index]) {
      const { registry, client, at } = await setUp(t);
      const { digest, manifests } = putIndex(registry, offered, type);
      const image = await client.resolve(at("app:multi"), parsePlatform(wanted));
      assert.equal(image.digest, digest);
      assert.equal(image.manifestDigest, manifests[chosen]?.digest);
      assert.equal(image.otherPlatform, false);
    }
  });
}

test("an index whose entries name no platform is searched by reading them", async (t) => {
  const { registry, client, at } = await setUp(t);
  const { manifests } = putIndex(registry, ["linux/arm64", "linux/amd64"], oci.index, false);
  assert.equal((await client.resolve(at("app:multi"), amd64)).manifestDigest, manifests[1]?.digest);
});

test("an index in an index is followed", async (t) => {
  const { registry, client, at } = await setUp(t);
  const { digest, manifests } = putIndex(registry, ["linux/amd64"]);
  putDocument(registry, "app", "outer", oci.index, {
    schemaVersion: 2,
    manifests: [{ mediaType: oci.index, digest, size: 1, platform: amd64 }],
  });
  assert.equal((await client.resolve(at("app:outer"), amd64)).manifestDigest, manifests[0]?.digest);
});

test("an index without the platform says what it offers", async (t) => {
  const { registry, client, at } = await setUp(t);
  const { digest } = putIndex(registry, ["linux/amd64", "linux/arm/v7"]);
  await assert.rejects(client.resolve(at("app:multi"), parsePlatform("linux/s390x")), {
    message: `Cannot use "${registry.host}/app:multi" for linux/s390x: no match for platform in manifest ${digest}; it offers linux/amd64, linux/arm/v7`,
  });
});

test("a single manifest of another platform is given, and flagged", async (t) => {
  const { registry, client, at } = await setUp(t);
  putImage(registry, "app", "1", { platform: { os: "linux", architecture: "arm64" } });
  const image = await client.resolve(at("app:1"), amd64);
  assert.equal(image.otherPlatform, true);
  assert.equal(image.platform.architecture, "arm64");
  assert.equal((await client.resolve(at("app:1"), parsePlatform("linux/arm64/v8"))).otherPlatform, false);
});

test("a digest wins over the tag", async (t) => {
  const { registry, client, at } = await setUp(t);
  const pinned = putImage(registry, "app", "1", { layers: [makeBytes(10)] }).manifest.descriptor.digest;
  putImage(registry, "app", "1", { layers: [makeBytes(20)] });
  assert.equal((await client.resolve(at(`app:1@${pinned}`), amd64)).digest, pinned);
});

test("the same reference is asked for once, and keeps its meaning when the tag moves", async (t) => {
  const { registry, client, at } = await setUp(t);
  putImage(registry, "app", "1", { layers: [makeBytes(10)] });
  const [first, second] = await Promise.all([client.resolve(at("app:1"), amd64), client.resolve(at("app:1"), amd64)]);
  putImage(registry, "app", "1", { layers: [makeBytes(20)] });
  assert.equal((await client.resolve(at("app:1"), amd64)).digest, first.digest);
  assert.equal(second.digest, first.digest);
  assert.equal(registry.count("GET", /manifests/), 1);
});

test("histories that do not fit the layers are aligned", async (t) => {
  const { registry, client, at } = await setUp(t);
  putImage(registry, "app", "1", { layers: [makeBytes(10), makeBytes(20)] });
  const config = JSON.parse(
    Buffer.from(putImage(registry, "app", "2", { layers: [makeBytes(10), makeBytes(20)] }).config.bytes).toString(),
  );
  const short = Buffer.from(JSON.stringify({ ...config, history: [{ created_by: "only one" }, { created_by: "env", empty_layer: true }] }));
  const store = registry.repositories.get("app");
  const manifest = JSON.parse(store?.manifests.get("2")?.bytes.toString() ?? "");
  store?.blobs.set(digestOf(short), short);
  putDocument(registry, "app", "3", oci.manifest, {
    ...manifest,
    config: { ...manifest.config, digest: digestOf(short), size: short.length },
  });
  const image = await client.resolve(at("app:3"), amd64);
  assert.equal(image.config.history?.filter((line) => !line.empty_layer).length, 2);
});

test("layers of every compression keep their type; foreign ones keep their addresses", async (t) => {
  const { registry, client, at } = await setUp(t);
  const bytes = [makeBytes(10), makeBytes(20), makeBytes(30), makeBytes(40)];
  putImage(registry, "app", "1", { layers: bytes });
  const manifest = JSON.parse(registry.repositories.get("app")?.manifests.get("1")?.bytes.toString() ?? "");
  const foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  const types = [oci.layer.zstd, docker.layer.none, docker.layer.gzip, foreign];
  const urls = [`http://${registry.host}/v2/elsewhere/blobs/${digestOf(bytes[3] ?? Buffer.alloc(0))}`];
  const layers = manifest.layers.map((layer: object, i: number) => ({ ...layer, mediaType: types[i], ...(i === 3 ? { urls } : {}) }));
  putDocument(registry, "app", "2", oci.manifest, { ...manifest, layers });
  const store = registry.repositories.get("app");
  putImage(registry, "elsewhere", "1", { layers: bytes.slice(3) });
  store?.blobs.delete(digestOf(bytes[3] ?? Buffer.alloc(0)));
  const image = await client.resolve(at("app:2"), amd64);
  assert.deepEqual(
    image.layers.map(({ compression }) => compression),
    ["zstd", "none", "gzip", "gzip"],
  );
  assert.deepEqual(image.layers[3]?.descriptor.urls, urls);
  assert.ok(image.layers[3] !== undefined && bytes[3]?.equals(await readAll(image.layers[3].open())));
});

const manifest = (change: object) => ({
  schemaVersion: 2,
  mediaType: oci.manifest,
  config: { mediaType: oci.config, digest: `sha256:${"1".repeat(64)}`, size: 2 },
  layers: [],
  ...change,
});
const descriptor = { mediaType: oci.layer.gzip, digest: `sha256:${"2".repeat(64)}`, size: 3 };
const bad: Record<string, { document: unknown; type?: string; text: RegExp }> = {
  "Docker schema 1": {
    document: { schemaVersion: 1, fsLayers: [] },
    type: "application/vnd.docker.distribution.manifest.v1+prettyjws",
    text: /Docker schema 1 image/,
  },
  "no JSON": { document: "<html>", text: /its manifest is no JSON/ },
  "a list": { document: [], text: /no JSON object/ },
  "both kinds at once": { document: manifest({ manifests: [] }), text: /claims to be an index too/ },
  "two names for its type": { document: manifest({}), type: docker.manifest, text: /calls itself .*oci.* the registry calls it .*docker/ },
  "an unknown type": {
    document: manifest({ mediaType: "application/vnd.cncf.helm" }),
    type: "application/vnd.cncf.helm",
    text: /no container image, but "application\/vnd.cncf.helm"/,
  },
  "a layer of an unknown type": {
    document: manifest({ layers: [{ ...descriptor, mediaType: "text/plain" }] }),
    text: /a layer of type "text\/plain"/,
  },
  "an encrypted layer": {
    document: manifest({ layers: [{ ...descriptor, mediaType: `${oci.layer.gzip}+encrypted` }] }),
    text: /which is not supported/,
  },
  "a digest that climbs": {
    document: manifest({ layers: [{ ...descriptor, digest: "sha256:../../x" }] }),
    text: /where a sha256 digest belongs/,
  },
  "a negative size": { document: manifest({ layers: [{ ...descriptor, size: -1 }] }), text: /gives no size/ },
  "a huge configuration": {
    document: manifest({ config: { mediaType: oci.config, digest: `sha256:${"1".repeat(64)}`, size: 1e10 } }),
    text: /configuration has 10000000000 bytes/,
  },
  "no configuration": { document: manifest({ config: undefined }), text: /without a media type/ },
};

for (const [name, { document, type = oci.manifest, text }] of Object.entries(bad)) {
  test(`a manifest with ${name} is refused`, async (t) => {
    const { registry, client, at } = await setUp(t);
    putDocument(registry, "app", "1", type, document);
    await assert.rejects(client.resolve(at("app:1"), amd64), (error: RegistryError) => {
      assert.ok(error instanceof RegistryError);
      assert.match(error.message, text);
      assert.ok(error.message.includes(`"${registry.host}/app:1"`));
      return true;
    });
  });
}

const configs: Record<string, { config: unknown; text: RegExp }> = {
  "no layers": { config: { architecture: "amd64", os: "linux" }, text: /lists no layers/ },
  "fewer layers": {
    config: { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } },
    text: /its manifest has 1 layers, its configuration 0/,
  },
  "a layer that is no digest": { config: { rootfs: { diff_ids: ["x"] } }, text: /not sha256/ },
};

for (const [name, { config, text }] of Object.entries(configs)) {
  test(`a configuration with ${name} is refused`, async (t) => {
    const { registry, client, at } = await setUp(t);
    const bytes = Buffer.from(JSON.stringify(config));
    putImage(registry, "app", "0");
    registry.repositories.get("app")?.blobs.set(digestOf(bytes), bytes);
    const own = { mediaType: oci.config, digest: digestOf(bytes), size: bytes.length };
    putDocument(registry, "app", "1", oci.manifest, manifest({ config: own, layers: [descriptor] }));
    await assert.rejects(client.resolve(at("app:1"), amd64), text);
  });
}

const faults: Record<string, { fault: Fault; text: RegExp | undefined }> = {
  "a manifest that is cut once": { fault: { path: /manifests/, kind: "cut", after: 10 }, text: undefined },
  "a configuration that is cut once": { fault: { path: /blobs/, kind: "cut", after: 10 }, text: undefined },
  "a manifest without Docker-Content-Digest": {
    fault: { path: /manifests/, kind: "headers", headers: { "docker-content-digest": undefined } },
    text: undefined,
  },
  "a manifest whose Docker-Content-Digest is another": {
    fault: { path: /manifests/, kind: "headers", headers: { "docker-content-digest": `sha256:${"0".repeat(64)}` } },
    text: /instead of sha256:0000/,
  },
  "a manifest with a wrong bit": { fault: { path: /manifests/, kind: "corrupt" }, text: /sent a manifest with the digest/ },
  "a configuration with a wrong bit": { fault: { path: /blobs/, kind: "corrupt" }, text: /sent a configuration with the digest/ },
  "a manifest without end": { fault: { path: /manifests/, kind: "infinite" }, text: /larger than 4194304 bytes/ },
  "a configuration without end": { fault: { path: /blobs/, kind: "infinite" }, text: /is larger than \d+ bytes/ },
  "a missing image": {
    fault: {
      path: /manifests/,
      kind: "refuse",
      status: 404,
      body: '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}',
    },
    text: /answered 404 MANIFEST_UNKNOWN \(manifest unknown\)/,
  },
  "an answer in HTML": { fault: { path: /manifests/, kind: "refuse", status: 403, body: "<html>no</html>" }, text: /answered 403$/ },
};

for (const [name, { fault, text }] of Object.entries(faults)) {
  test(`resolve ${text === undefined ? "gets over" : "refuses"} ${name}`, async (t) => {
    const { registry, client, at } = await setUp(t);
    putImage(registry, "app", "1");
    registry.order(fault);
    const coming = client.resolve(at("app:1"), amd64);
    if (text === undefined) assert.equal((await coming).layers.length, 1);
    else await assert.rejects(coming, text);
  });
}

test("a registry that sends other bytes for a digest is refused, whatever it says they are", async (t) => {
  const { registry, client, at } = await setUp(t);
  const { digest } = putImage(registry, "app", "1").manifest.descriptor;
  const other = putImage(registry, "app", "2", { layers: [makeBytes(5)] }).manifest;
  registry.order({
    path: /manifests/,
    kind: "replace",
    status: 200,
    body: Buffer.from(other.bytes),
    headers: { "docker-content-digest": digest, "content-type": oci.manifest },
  });
  await assert.rejects(client.resolve(at(`app@${digest}`), amd64), /sent a manifest with the digest/);
});

test("--image-download-retry tries a pull again", async (t) => {
  const { registry, client, at, texts } = await setUp(t, { downloadRetries: 1 });
  putImage(registry, "app", "1");
  registry.order({ path: /manifests/, kind: "refuse", status: 403 });
  assert.equal((await client.resolve(at("app:1"), amd64)).layers.length, 1);
  assert.ok(texts.some((text) => /^warning: Trying again \(1 of 1\) to pull/.test(text)));
});

test("a registry that is not there says so, with advice", async (t) => {
  const { client } = await setUp(t);
  const gone = await startRegistry(t);
  await gone.stop();
  await assert.rejects(client.resolve(parseReference(`${gone.host}/app`), amd64), (error: RegistryError) => {
    assert.equal(error.failure, "unreachable");
    assert.match(error.message, /the connection was refused/);
    return /check that .* runs/.test(error.hint ?? "");
  });
});

test("resolve stops when it is told to", async (t) => {
  const { registry, client, at } = await setUp(t);
  putImage(registry, "app", "1");
  registry.order({ path: /manifests/, kind: "stall", after: 0 });
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("enough")), 50);
  await assert.rejects(client.resolve(at("app:1"), amd64 satisfies Platform, stop.signal), /enough/);
});
