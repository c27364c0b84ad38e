// Whole builds against registries with habits: what is uploaded, mounted, asked again, and who is shown the credentials.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseReference } from "../../src/image/reference.ts";
import { defaultRegistryOptions } from "../../src/registry/registry.ts";
import { fileItem, openBuilder, putBase } from "../support/build.ts";
import { layerLines, pushed } from "../support/pushed.ts";
import { type Fault, startRegistry, type TestRegistry, type TestRegistryOptions } from "../support/registry.ts";

const credentials = { username: "builder", password: "secret" };

/** A registry with `base:1`, and builds that push `app:TAG` there. */
async function open(t: TestContext, options: TestRegistryOptions = {}, baseAt?: TestRegistry) {
  const registry = await startRegistry(t, options);
  const home = baseAt ?? registry;
  const base = await putBase(t, home, "base:1", [[fileItem("below", "B".repeat(5000))]]);
  const builder = await openBuilder(t);
  const dockerConfig = join(builder.directory, "config.json");
  const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64");
  writeFileSync(dockerConfig, JSON.stringify({ auths: { [registry.host]: { auth } } }));
  const build = async (tag = "1", repository = "app") => {
    const first = registry.requests.length;
    const dockerfile = `FROM ${home.host}/base:1\nCOPY a /`;
    await builder.build(
      { Dockerfile: dockerfile, a: "a".repeat(3000) },
      {
        destinations: [parseReference(`${registry.host}/${repository}:${tag}`)],
        registry: { ...defaultRegistryOptions, dockerConfig: { file: dockerConfig } },
        reproducible: true,
      },
    );
    const image = pushed(registry, repository, tag) ?? assert.fail("nothing was pushed");
    const lines = await Promise.all(image.manifest.layers.map(({ digest }: { digest: string }) => layerLines(image.store, digest)));
    assert.deepEqual(lines, [[`f 644 0:0 below ${"B".repeat(5000)}`], [`f 644 0:0 a ${"a".repeat(3000)}`]]);
    return { image, requests: registry.requests.slice(first) };
  };
  return { registry, base, build };
}

const uploads = (requests: TestRegistry["requests"]) =>
  requests.filter(({ method, path }) => method === "PUT" && path.includes("/blobs/uploads/"));
const mounts = (requests: TestRegistry["requests"]) => requests.filter(({ path }) => path.includes("?mount="));

test("7.64 what the registry has by HEAD is not uploaded", async (t) => {
  const { build } = await open(t);
  await build();
  const { requests } = await build("2");
  assert.deepEqual(uploads(requests), []);
  assert.ok(requests.some(({ method, path, status }) => method === "HEAD" && path.includes("/blobs/") && status === 200));
});

test("7.64 the base's layers are mounted from their repository on the same host", async (t) => {
  const { build, base } = await open(t);
  const { requests } = await build();
  const [layer] = base.image.layers;
  const mounted = mounts(requests).filter(({ status }) => status === 201);
  assert.equal(mounted.length, 1);
  assert.match(
    mounted[0]?.path ?? "",
    new RegExp(`/v2/app/blobs/uploads/\\?mount=${encodeURIComponent(layer?.descriptor.digest ?? "")}&from=base`),
  );
  assert.equal(uploads(requests).length, 2, "the new layer and the configuration");
});

test("7.64 but not from another host: they are uploaded", async (t) => {
  const other = await startRegistry(t);
  const { build } = await open(t, {}, other);
  const { requests } = await build();
  assert.deepEqual(
    mounts(requests).filter(({ path }) => path.includes("from=base")),
    [],
  );
  assert.equal(uploads(requests).length, 3);
});

test("7.64 a mount that is answered with 202 becomes an upload", async (t) => {
  const { build } = await open(t, { refusesMounts: true });
  const { requests } = await build();
  assert.ok(mounts(requests).some(({ status }) => status === 202));
  assert.equal(uploads(requests).length, 3);
});

// The registry of the tests gives every location a query that must come back.
for (const relativeLocations of [false, true])
  test(`7.64 upload locations ${relativeLocations ? "without a host" : "with a host"} keep their query`, async (t) => {
    const { build } = await open(t, { relativeLocations });
    const { requests } = await build();
    assert.ok(
      uploads(requests).every(({ path, status }) => /[?&]state=a%2Bb/.test(path) && /[?&]digest=sha256/.test(path) && status === 201),
    );
  });

test("7.64 a location on another host is shown no credentials", async (t) => {
  const store = await startRegistry(t);
  const auth = { kind: "basic", ...credentials } as const;
  const registry = await startRegistry(t, { auth, uploadHost: () => store.host });
  const base = await startRegistry(t);
  await putBase(t, base, "base:1", [[fileItem("below", "B")]]);
  const builder = await openBuilder(t);
  const file = join(builder.directory, "config.json");
  const encoded = Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64");
  writeFileSync(file, JSON.stringify({ auths: { [registry.host]: { auth: encoded } } }));
  // What the other host takes, the first one never learns of: it refuses the manifest, after all uploads.
  const building = builder.build(
    { Dockerfile: `FROM ${base.host}/base:1\nCOPY Dockerfile /` },
    {
      destinations: [parseReference(`${registry.host}/app:1`)],
      checkPushPermission: false,
      registry: { ...defaultRegistryOptions, dockerConfig: { file } },
    },
  );
  await assert.rejects(building, /MANIFEST_BLOB_UNKNOWN|blob unknown/);
  assert.equal(uploads(store.requests).length, 3);
  assert.deepEqual(
    store.requests.filter(({ authorization }) => authorization !== undefined),
    [],
  );
  assert.ok(registry.requests.some(({ authorization }) => authorization?.startsWith("Basic ")));
});

const faults: readonly (readonly [what: string, fault: (registry: TestRegistry) => Fault, options?: TestRegistryOptions])[] = [
  [
    "a token that ends in the middle of a push is renewed, and the upload done again",
    ({ host }) => ({
      ...{ kind: "refuse", status: 401, method: "PUT", path: /uploads/ },
      headers: { "www-authenticate": `Bearer realm="http://${host}/token",service="test registry",scope="repository:app:pull,push"` },
    }),
    { auth: { kind: "token", ...credentials } },
  ],
  [
    "and so at the manifest",
    ({ host }) => ({
      ...{ kind: "refuse", status: 401, method: "PUT", path: /manifests/ },
      headers: { "www-authenticate": `Bearer realm="http://${host}/token",service="test registry",scope="repository:app:pull,push"` },
    }),
    { auth: { kind: "token", ...credentials } },
  ],
  [
    "429 with Retry-After is asked again, at an upload",
    () => ({ kind: "refuse", status: 429, headers: { "retry-after": "0" }, method: "PUT", path: /uploads/ }),
  ],
  [
    "429 with Retry-After is asked again, at a manifest",
    () => ({ kind: "refuse", status: 429, headers: { "retry-after": "0" }, path: /manifests/, times: 2 }),
  ],
  [
    "answers without Docker-Content-Digest are taken by what they hold",
    () => ({ kind: "headers", headers: { "docker-content-digest": undefined }, times: 1000 }),
  ],
];
for (const [what, fault, options] of faults)
  test(`7.64 ${what}`, async (t) => {
    const { registry, build } = await open(t, options);
    registry.order(fault(registry));
    const { requests } = await build();
    if (!what.startsWith("answers")) assert.ok(requests.some(({ status }) => status === 401 || status === 429));
  });

test("7.64 429 waits as long as Retry-After says", async (t) => {
  const { registry, build } = await open(t);
  registry.order({ kind: "refuse", status: 429, headers: { "retry-after": "1" }, method: "PUT", path: /manifests/ });
  const started = performance.now();
  await build();
  assert.ok(performance.now() - started >= 1000);
});
