// Repositories that refuse, fail, hold the records of others, or lie beside the one that an image is pushed to.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openRegistryStore } from "../../src/cache/registry-store.ts";
import { digestOf, encodeRelease } from "../../src/image/encode.ts";
import { parseReference } from "../../src/image/reference.ts";
import type { RegistryError, RegistryOptions } from "../../src/registry/registry.ts";
import { type Fault, startRegistry, type TestRegistryOptions } from "../support/registry.ts";
import { layerOf, makeBytes, makeImage, openTestClient, putDocument, readAll } from "../support/registry-image.ts";
import { listen } from "./places.ts";
import { keyOf, readWhole, recordOf, recordWith } from "./records.ts";

const tagOf = (name: string) => `slipway-${keyOf(name)}`;

async function setUp(t: TestContext, options: TestRegistryOptions = {}, client: Partial<RegistryOptions> = {}) {
  const registry = await startRegistry(t, options);
  const { texts, report } = listen();
  const openAnother = () => {
    const opened = openTestClient(t, client);
    return { ...opened, store: openRegistryStore(parseReference(`${registry.host}/app/cache`), { registry: opened.client, report }) };
  };
  return { registry, report, warnings: texts, openAnother, ...openAnother() };
}

test("a look-up is one request for each key, all at once, and reads no blob", async (t) => {
  const { registry, store, openAnother } = await setUp(t);
  const names = Array.from({ length: 30 }, (_, i) => `record ${i}`);
  for (const name of names) await store.put(recordOf(name));
  registry.requests.length = 0;
  const fresh = openAnother().store;
  assert.equal((await fresh.find([...names, "other"].map(keyOf))).size, 30);
  assert.equal(registry.requests.length, 31);
  assert.equal(registry.count("GET", /manifests/), 31);
});

test("a record is an ordinary image: known media types, a configuration that fits, at least one layer", async (t) => {
  const { registry, store } = await setUp(t);
  const index = {
    ...layerOf(makeBytes(10, 2)),
    descriptor: { ...layerOf(makeBytes(10, 2)).descriptor, mediaType: "application/vnd.x+gzip" },
  };
  await store.put(recordWith("two", [layerOf(makeBytes(1000)), index]));
  await store.put(recordWith("none", []));
  const repository = registry.repositories.get("app/cache");
  for (const [name, layers] of [
    ["two", 2],
    ["none", 1],
  ] as const) {
    const { type, bytes } = repository?.manifests.get(tagOf(name)) ?? assert.fail();
    const manifest = JSON.parse(bytes.toString());
    assert.equal(type, "application/vnd.oci.image.manifest.v1+json");
    assert.equal(manifest.config.mediaType, "application/vnd.oci.image.config.v1+json");
    assert.equal(manifest.layers.length, layers);
    for (const { mediaType } of manifest.layers) assert.match(mediaType, /^application\/vnd\.oci\.image\.layer\.v1\.tar(\+gzip)?$/);
    const config = JSON.parse(repository?.blobs.get(manifest.config.digest)?.toString() ?? "");
    assert.equal(config.rootfs.diff_ids.length, layers);
    assert.equal(config.history.length, layers);
  }
});

test("what the repository has is not sent again", async (t) => {
  const { registry, store, openAnother } = await setUp(t);
  await store.put(recordOf("a", 1, 100_000));
  await store.put(recordOf("b", 1, 100_000));
  assert.equal(registry.count("PUT", /uploads/), 2, "a layer and a configuration");
  const fresh = openAnother();
  await fresh.store.find([keyOf("a")]);
  registry.requests.length = 0;
  await fresh.store.put(recordOf("c", 1, 100_000));
  assert.deepEqual(
    registry.requests.map(({ method }) => method),
    ["PUT"],
  );
});

test("a blob that the repository turns out to have lost is sent again", async (t) => {
  const { registry, store, openAnother } = await setUp(t);
  const record = recordOf("a");
  await store.put(record);
  const fresh = openAnother();
  await fresh.store.find([keyOf("a")]);
  const [blob] = record.blobs;
  assert.ok(blob && registry.repositories.get("app/cache")?.blobs.delete(blob.descriptor.digest));
  await assert.rejects(readAll(fresh.store.read(blob.descriptor)));
  await fresh.store.put(record);
  assert.deepEqual(await readWhole(openAnother().store, [keyOf("a")]), ["a"]);
});

test("blobs that were lost though a manifest names them are sent again", async (t) => {
  const { registry, store, openAnother } = await setUp(t);
  await store.put(recordOf("a"));
  const fresh = openAnother();
  await fresh.store.find([keyOf("a")]);
  registry.repositories.get("app/cache")?.blobs.clear();
  await fresh.store.put(recordOf("b"));
  assert.deepEqual(await readWhole(openAnother().store, [keyOf("a"), keyOf("b")]), ["a", "b"]);
});

test("kaniko's tags in the same repository are left alone", async (t) => {
  const { registry, store, warnings } = await setUp(t, { tagsPerPage: 2 });
  const old = new Date(Date.now() - 1e9).toISOString();
  const image = { schemaVersion: 2, annotations: { "org.opencontainers.image.created": old }, layers: [] };
  for (const tag of ["latest", keyOf("kaniko"), `slipway-${keyOf("x").slice(1)}`, "slipway-latest"])
    putDocument(registry, "app/cache", tag, "application/vnd.oci.image.manifest.v1+json", image);
  const before = [...(registry.repositories.get("app/cache")?.manifests.keys() ?? [])];
  for (const name of ["a", "b", "c"]) await store.put(recordOf(name));
  assert.equal((await store.find([keyOf("kaniko")])).size, 0);
  assert.equal((await store.prune({ maxBytes: 0, dryRun: false })).removedRecords, 3);
  assert.deepEqual([...(registry.repositories.get("app/cache")?.manifests.keys() ?? [])], before);
  assert.deepEqual(warnings, []);
});

const foreign: Record<string, unknown> = {
  "an image of somebody else": { schemaVersion: 2, config: {}, layers: [] },
  "no JSON": "hello",
  nothing: "",
  "a list": [],
  null: "null",
  "the record of another key": {
    schemaVersion: 2,
    config: layerOf(makeBytes(2)).descriptor,
    layers: [],
    annotations: { "slipway.cache.key": keyOf("other"), "slipway.cache.record.v1": "aGVsbG8=" },
  },
  "a record with impossible layers": {
    schemaVersion: 2,
    config: layerOf(makeBytes(2)).descriptor,
    layers: [{ digest: "sha256:x", size: 1 }],
    annotations: { "slipway.cache.key": keyOf("hurt"), "slipway.cache.record.v1": "aGVsbG8=" },
  },
};

for (const [name, document] of Object.entries(foreign)) {
  test(`${name} under a record's tag is a miss with a warning`, async (t) => {
    const { registry, store, warnings } = await setUp(t);
    await store.put(recordOf("whole"));
    putDocument(registry, "app/cache", tagOf("hurt"), "application/vnd.oci.image.manifest.v1+json", document);
    assert.deepEqual(await readWhole(store, [keyOf("hurt"), keyOf("whole")]), ["whole"]);
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] ?? "",
      new RegExp(`^Passing over the record ${keyOf("hurt")} in repository 127\\.0\\.0\\.1:\\d+/app/cache: it `),
    );
    await store.put(recordOf("hurt"));
    assert.deepEqual(await readWhole(store, [keyOf("hurt")]), ["hurt"]);
  });
}

const hurt = new RegExp(`GET|manifests/${tagOf("hurt")}`);
const one = { method: "GET", path: new RegExp(`manifests/${tagOf("hurt")}`), times: 9 } as const;
const passed: Record<string, Fault> = {
  "a wrong bit": { ...one, kind: "corrupt" },
  "too few bytes": { ...one, kind: "truncate", to: 100 },
  "endless 500": { ...one, kind: "status", status: 500 },
  "a connection that is always cut": { ...one, kind: "cut", after: 20 },
};

for (const [name, fault] of Object.entries(passed)) {
  test(`one record that comes with ${name} is passed over, the others are found`, async (t) => {
    const { registry, store, warnings } = await setUp(t);
    for (const record of ["hurt", "whole"]) await store.put(recordOf(record));
    registry.order(fault);
    assert.deepEqual([...(await store.find([keyOf("hurt"), keyOf("whole")])).keys()], [keyOf("whole")]);
    assert.equal(warnings.filter((text) => hurt.test(text) || text.includes(keyOf("hurt"))).length, 1);
  });
}

const rejected: Record<string, { faults: readonly Fault[]; failure: string }> = {
  "wrong credentials": { faults: [{ kind: "refuse", status: 401, times: 99 }], failure: "unauthorized" },
  "no permission": { faults: [{ kind: "refuse", status: 403, times: 99 }], failure: "denied" },
  "endless 503": { faults: [{ kind: "refuse", status: 503, times: 999 }], failure: "unavailable" },
  "too many requests": { faults: [{ kind: "refuse", status: 429, headers: { "retry-after": "900" }, times: 99 }], failure: "rate-limited" },
};

for (const [name, { faults, failure }] of Object.entries(rejected)) {
  test(`a look-up ends with ${name}, and so does a put`, async (t) => {
    const { registry, store } = await setUp(t);
    registry.order(...faults);
    const keys = Array.from({ length: 40 }, (_, i) => keyOf(String(i)));
    const isRight = (error: RegistryError) => error.failure === failure && /^Cannot /.test(error.message);
    await assert.rejects(store.find(keys), isRight);
    await assert.rejects(store.put(recordOf("a")), isRight);
    assert.ok(registry.requests.length < 140, `${registry.requests.length} requests`);
  });
}

test("a registry that is not there is an error soon", async (t) => {
  const { registry, store } = await setUp(t);
  await registry.stop();
  await assert.rejects(store.find([keyOf("a")]), /^RegistryError: Cannot look up ".*:slipway-[0-9a-f]+": /);
  await assert.rejects(store.put(recordOf("a")), /^RegistryError: Cannot push /);
});

test("a repository that must be made first is nothing to a look-up, and a hint to a put", async (t) => {
  const { registry, store } = await setUp(t);
  const unknown = { kind: "refuse", status: 404, body: '{"errors":[{"code":"NAME_UNKNOWN"}]}', times: 99 } as const;
  registry.order(unknown);
  assert.equal((await store.find([keyOf("a")])).size, 0);
  await assert.rejects(store.put(recordOf("a")), (error: RegistryError) => {
    assert.match(error.hint ?? "", /^create the repository "app\/cache" at 127\.0\.0\.1:\d+, or name one that is there with --cache-repo$/);
    return true;
  });
});

test("a registry that lets nobody delete is an error that names its own rules", async (t) => {
  const { store } = await setUp(t, { deletesNothing: true });
  await store.put(recordOf("a"));
  assert.equal((await store.prune({ maxBytes: 0, dryRun: true })).removedRecords, 1);
  await assert.rejects(store.prune({ maxBytes: 0, dryRun: false }), /does not let its clients delete; use its own rules/);
});

test("prune goes by when a record was put", async (t) => {
  const { store } = await setUp(t);
  await store.put(recordOf("a"));
  await store.put(recordOf("b", 2));
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 5 * 3600_000 });
  await store.put(recordOf("a"));
  t.mock.timers.reset();
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 6 * 3600_000 });
  assert.equal((await store.prune({ unusedFor: 2 * 3600, dryRun: false })).removedRecords, 1);
  assert.deepEqual(await readWhole(store, [keyOf("a"), keyOf("b")]), ["a"]);
});

test("what was found counts as used, to the day, with the records that it stands for", async (t) => {
  const { registry, store, openAnother } = await setUp(t);
  const [a, b] = [layerOf(makeBytes(10, 1)), layerOf(makeBytes(10, 2))];
  for (const record of [recordWith("note", [a, b]), recordWith("step", [a]), recordOf("unused", 3)]) await store.put(record);
  const start = Date.now();
  for (const [hours, puts] of [
    [20, 0],
    [30, 1],
    [40, 0],
    [60, 1],
  ] as const) {
    t.mock.timers.enable({ apis: ["Date"], now: start + hours * 3600_000 });
    registry.requests.length = 0;
    const user = openAnother().store;
    assert.deepEqual(
      await readWhole(user, ["note", ...(hours === 60 ? ["step"] : [])].map(keyOf)),
      hours === 60 ? ["note", "step"] : ["note"],
    );
    await user.close();
    assert.equal(registry.count("PUT", /manifests/), puts, `after ${hours} hours`);
    t.mock.timers.reset();
  }
  t.mock.timers.enable({ apis: ["Date"], now: start + 70 * 3600_000 });
  assert.equal((await store.prune({ unusedFor: 48 * 3600, dryRun: false })).removedRecords, 1);
  assert.deepEqual(await readWhole(store, ["note", "step", "unused"].map(keyOf)), ["note", "step"]);
});

test("that a use cannot be noted is no trouble", async (t) => {
  const { registry, store, openAnother, warnings } = await setUp(t);
  await store.put(recordOf("a"));
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 30 * 3600_000 });
  const reader = openAnother().store;
  assert.deepEqual(await readWhole(reader, [keyOf("a")]), ["a"]);
  registry.order({ method: "PUT", kind: "refuse", status: 403, times: 9 });
  await reader.close();
  assert.deepEqual(warnings, []);
});

const bytes = makeBytes(2_000_000, 3);
const digest = digestOf(bytes);
const uploaded = new RegExp(`uploads/.*digest=${encodeURIComponent(digest)}`);

for (const first of ["the image", "the cache"]) {
  test(`bytes go to a registry once where ${first} is pushed first, both at the same time`, async (t) => {
    const { registry, store, client } = await setUp(t);
    const image = makeImage({ layers: [bytes] });
    const push = client.openPush([`${registry.host}/app:1`, `${registry.host}/app:2`, `${registry.host}/other:1`].map(parseReference));
    const record = recordWith("a", [layerOf(bytes)]);
    const work = [() => push.finish(encodeRelease([image])), () => store.put(record)];
    await Promise.all((first === "the image" ? work : work.toReversed()).map((start) => start()));
    assert.equal(registry.count("PUT", uploaded), 1);
    assert.equal(client.transferred().uploaded, bytes.length);
    for (const repository of ["app", "other", "app/cache"]) assert.ok(registry.repositories.get(repository)?.blobs.has(digest), repository);
  });
}

const beside: Record<string, { fault: Omit<Fault & { kind: "refuse" }, "path">; image?: true; cache?: true }> = {
  "a cache that may not be written to": { fault: { kind: "refuse", status: 403, times: 99 }, image: true },
  "a cache that always fails": { fault: { kind: "refuse", status: 500, times: 999 }, image: true },
  "a destination that may not be written to": { fault: { kind: "refuse", status: 403, times: 99 }, cache: true },
};

for (const [name, { fault, image: isImageThere, cache: isCacheThere }] of Object.entries(beside)) {
  for (const isCacheFirst of [true, false]) {
    test(`${name} does no harm to the other, ${isCacheFirst ? "the cache" : "the image"} first`, async (t) => {
      const { registry, store, client } = await setUp(t);
      registry.order({ ...fault, method: "POST", path: isImageThere ? /^\/v2\/app\/cache\/blobs\/uploads/ : /^\/v2\/app\/blobs\/uploads/ });
      const push = client.openPush([parseReference(`${registry.host}/app:1`)]);
      const work = [() => push.finish(encodeRelease([makeImage({ layers: [bytes] })])), () => store.put(recordWith("a", [layerOf(bytes)]))];
      const order = isCacheFirst ? work.toReversed() : work;
      const outcomes = await Promise.allSettled(order.map((start) => start()));
      const [image, cache] = isCacheFirst ? outcomes.toReversed() : outcomes;
      assert.equal(image?.status, isImageThere ? "fulfilled" : "rejected");
      assert.equal(cache?.status, isCacheThere ? "fulfilled" : "rejected");
      assert.equal(registry.repositories.get("app")?.manifests.has("1") ?? false, isImageThere ?? false);
    });
  }
}

test("a push that is given up leaves the cache to send the bytes itself", async (t) => {
  const { registry, store, client } = await setUp(t);
  const push = client.openPush([parseReference(`${registry.host}/app:1`)]);
  const slow = {
    ...layerOf(bytes),
    async *open(signal?: AbortSignal) {
      yield bytes.subarray(0, 100);
      await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    },
  };
  const coming = push.layer(slow);
  const put = store.put(recordWith("a", [layerOf(bytes)]));
  setTimeout(() => void push.abort(), 30);
  await assert.rejects(coming, /abandoned/);
  await put;
  assert.deepEqual(await readWhole(store, [keyOf("a")]), ["a"]);
});

test("a found layer is mounted from the cache, and read like any other", async (t) => {
  const { registry, store, openAnother } = await setUp(t);
  await store.put(recordWith("a", [layerOf(bytes)]));
  const { client, store: fresh } = openAnother();
  await fresh.find([keyOf("a")]);
  const { descriptor, diffId } = layerOf(bytes);
  assert.ok(fresh.origin);
  const layer = client.layer(fresh.origin, descriptor, diffId);
  await client.openPush([parseReference(`${registry.host}/app:1`)]).layer(layer);
  assert.deepEqual(client.transferred(), { downloaded: 0, uploaded: 0 });
  assert.equal(registry.count("POST", /mount=.*&from=app%2Fcache/), 1);
  const chunks = [];
  for await (const chunk of layer.open()) chunks.push(chunk);
  assert.ok(bytes.equals(Buffer.concat(chunks)));
});

test("the cache alone may need credentials, which a look-up takes for reading and a put for writing", async (t) => {
  const auth = { kind: "token", username: "ci", password: "word", denies: /^repository:read\/only:.*push/ } as const;
  const registry = await startRegistry(t, { auth });
  const json = JSON.stringify({ auths: { [registry.host]: { username: "ci", password: "word" } } });
  const { report } = listen();
  const { client } = openTestClient(t, { dockerConfig: { json } });
  const store = openRegistryStore(parseReference(`${registry.host}/read/only`), { registry: client, report });
  assert.equal((await store.find([keyOf("a")])).size, 0);
  await assert.rejects(store.put(recordOf("a")), (error: RegistryError) => error.failure === "unauthorized" || error.failure === "denied");
  const anonymous = openTestClient(t).client;
  const other = openRegistryStore(parseReference(`${registry.host}/app/cache`), { registry: anonymous, report });
  await assert.rejects(other.put(recordOf("a")), (error: RegistryError) => /no credentials/.test(error.hint ?? ""));
  const good = openRegistryStore(parseReference(`${registry.host}/app/cache`), { registry: client, report });
  await good.put(recordOf("a"));
  assert.deepEqual(await readWhole(good, [keyOf("a")]), ["a"]);
});
