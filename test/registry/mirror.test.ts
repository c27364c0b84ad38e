// Pulls through mirrors, and past mirrors that fail.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseReference } from "../../src/image/reference.ts";
import { openBlobs } from "../../src/layer/layer.ts";
import { startRegistry } from "../support/registry.ts";
import { makeBytes, openTestClient, putImage, readAll } from "../support/registry-image.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const bytes = makeBytes(600_000, 8);

test("a mirror of Docker Hub is asked under its prefix, and named", async (t) => {
  for (const spelling of ["docker.io", "index.docker.io", "registry-1.docker.io", undefined]) {
    const mirror = await startRegistry(t);
    putImage(mirror, "proxy/library/app", "1");
    const place = `${mirror.host}/proxy`;
    const { client, texts } = openTestClient(t, {
      ...(spelling === undefined ? { mirrors: [place] } : { map: { [spelling]: [place] } }),
      skipDefaultRegistryFallback: true,
    });
    const image = await client.resolve(parseReference("app:1"), amd64);
    assert.equal(image.reference.registry, "index.docker.io");
    assert.deepEqual(image.layers[0]?.origin, { registry: mirror.host, repository: "proxy/library/app" });
    assert.ok(texts.includes(`notice: index.docker.io/library/app:1 comes from ${mirror.host}/proxy/library/app`));
  }
});

test("mirrors that fail are passed over, with a warning, down to the registry itself", async (t) => {
  const [broken, empty, own] = [await startRegistry(t), await startRegistry(t), await startRegistry(t)];
  await broken.stop();
  putImage(own, "app", "1", { layers: [bytes] });
  const options = { map: { [own.host]: [broken.host, `${empty.host}/some/prefix/`] } };
  const { client, texts } = openTestClient(t, options);
  const image = await client.resolve(parseReference(`${own.host}/app:1`), amd64);
  assert.equal(image.layers[0]?.origin?.registry, own.host);
  assert.equal(texts.filter((text) => text.startsWith("warning: ")).length, 2);
  assert.equal(empty.count("GET", /^\/v2\/some\/prefix\/app\/manifests\/1$/), 1);
  const strict = openTestClient(t, { ...options, skipDefaultRegistryFallback: true }).client;
  await assert.rejects(strict.resolve(parseReference(`${own.host}/app:1`), amd64), new RegExp(`from ${empty.host}: .*404`));
});

test("layers come from another host when the one that gave the manifest fails or lies", async (t) => {
  for (const fault of ["refuse", "corrupt", "cut"] as const) {
    const [mirror, own] = [await startRegistry(t), await startRegistry(t)];
    for (const registry of [mirror, own]) putImage(registry, "app", "1", { layers: [bytes] });
    const { client } = openTestClient(t, { map: { [own.host]: [mirror.host] } });
    const image = await client.resolve(parseReference(`${own.host}/app:1`), amd64);
    const blob = { path: new RegExp(image.layers[0]?.descriptor.digest ?? ""), times: 99 };
    mirror.order(
      fault === "refuse"
        ? { ...blob, kind: fault, status: 404 }
        : fault === "cut"
          ? { ...blob, kind: fault, after: 100 }
          : { ...blob, kind: fault },
    );
    const folder = await mkdtemp(join(tmpdir(), "slipway-test-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const [layer] = image.layers;
    assert.ok(layer);
    const fetched = await client.fetch(layer, await openBlobs(folder));
    assert.ok(bytes.equals(await readFile(fetched.file ?? "")));
    if (fault !== "corrupt") assert.ok(bytes.equals(await readAll(layer.open())));
  }
});

test("destinations are never mapped", async (t) => {
  const [mirror, own] = [await startRegistry(t), await startRegistry(t)];
  const { client } = openTestClient(t, { map: { [own.host]: [mirror.host] } });
  await client.checkPush([parseReference(`${own.host}/app:1`)]);
  assert.equal(mirror.requests.length, 0);
});
