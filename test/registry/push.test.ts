// Pushes to registries that fail in all their ways, to one destination and to many.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { digestOf, encodeRelease } from "../../src/image/encode.ts";
import type { Layer } from "../../src/image/image.ts";
import { parseReference } from "../../src/image/reference.ts";
import type { RegistryError, RegistryOptions } from "../../src/registry/registry.ts";
import { type Fault, startRegistry, type TestRegistry, type TestRegistryOptions } from "../support/registry.ts";
import { layerOf, makeBytes, makeImage, openTestClient, putImage, readAll } from "../support/registry-image.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const bytes = makeBytes(3_000_000, 3);
const digest = digestOf(bytes);

async function setUp(t: TestContext, options: TestRegistryOptions = {}, client: Partial<RegistryOptions> = {}) {
  const registry = await startRegistry(t, options);
  return { registry, ...openTestClient(t, client), image: makeImage({ layers: [bytes] }) };
}

async function fileLayer(t: TestContext): Promise<Layer> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "layer"), bytes);
  return { ...layerOf(bytes), file: join(folder, "layer") };
}

function has(registry: TestRegistry, repository: string): boolean {
  return registry.repositories.get(repository)?.blobs.get(digest)?.equals(bytes) ?? false;
}

const put = { method: "PUT", path: new RegExp(`uploads/.*${encodeURIComponent(digest)}`) } as const;
const upload = { path: /uploads\// } as const;

const recovered: Record<string, { faults: readonly Fault[]; options?: TestRegistryOptions }> = {
  "nothing wrong": { faults: [] },
  "locations without a host": { faults: [], options: { relativeLocations: true } },
  "an upload that is cut": { faults: [{ ...put, kind: "cut-upload", after: 1_000_000 }] },
  "an upload that is cut again and again": {
    faults: [
      { ...put, kind: "cut-upload", after: 1_000_000 },
      { method: "PATCH", ...upload, kind: "cut-upload", after: 500_000 },
      { method: "PATCH", ...upload, kind: "cut-upload", after: 600_000 },
      { method: "PATCH", ...upload, kind: "cut-upload", after: 1 },
    ],
  },
  "an upload that is cut by a registry that forgets it": {
    faults: [{ ...put, kind: "cut-upload", after: 1_000_000 }],
    options: { forgetsUploads: true },
  },
  "an upload that is cut before it begins": { faults: [{ ...put, kind: "cut-upload", after: 0 }] },
  "an upload whose end is answered with 500": { faults: [{ ...put, kind: "status", status: 500 }] },
  "an upload that is answered with 429": { faults: [{ ...put, kind: "status", status: 429, headers: { "retry-after": "0" } }] },
  "an answer that is lost": { faults: [{ ...put, kind: "reset" }] },
  "uploads that cannot be started at first": { faults: [{ method: "POST", ...upload, kind: "status", status: 503, times: 3 }] },
  "an upload that the registry lost": {
    faults: [{ ...put, kind: "status", status: 404, body: '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}' }],
  },
  "a digest that the registry found wrong once": {
    faults: [{ ...put, kind: "status", status: 400, body: '{"errors":[{"code":"DIGEST_INVALID"}]}' }],
  },
  "an upload whose state cannot be asked": {
    faults: [
      { ...put, kind: "cut-upload", after: 1_000_000 },
      { method: "GET", ...upload, kind: "status", status: 405 },
    ],
  },
  "a HEAD that is refused": { faults: [{ method: "HEAD", kind: "status", status: 403, times: 2 }] },
  "a manifest that is answered with 502": { faults: [{ method: "PUT", path: /manifests/, kind: "status", status: 502, times: 2 }] },
  "manifests without Docker-Content-Digest": {
    faults: [{ method: "PUT", path: /manifests/, kind: "headers", headers: { "docker-content-digest": undefined } }],
  },
};

for (const [name, { faults, options }] of Object.entries(recovered)) {
  test(`push gets there with ${name}, from memory and from a file`, async (t) => {
    for (const layer of [layerOf(bytes), await fileLayer(t)]) {
      const { registry, client, image } = await setUp(t, options);
      registry.order(...faults);
      const push = client.openPush([parseReference(`${registry.host}/app:1`)]);
      await push.layer(layer);
      assert.equal((await push.finish(encodeRelease([image])))[0]?.digest, image.manifest.descriptor.digest);
      assert.ok(has(registry, "app"));
      assert.ok(registry.repositories.get("app")?.manifests.has("1"));
    }
  });
}

test("a cut upload goes on where the registry says it stopped", async (t) => {
  const { registry, client } = await setUp(t);
  registry.order({ ...put, kind: "cut-upload", after: 1_000_000 });
  await client.openPush([parseReference(`${registry.host}/app:1`)]).layer(layerOf(bytes));
  assert.ok(has(registry, "app"));
  assert.equal(registry.count("PATCH", /uploads/), 1);
  assert.equal(registry.count("POST", /uploads/), 1);
});

const refused: Record<string, { faults: readonly Fault[]; failure: string; text: RegExp }> = {
  "what it may not push": {
    faults: [{ method: "POST", ...upload, kind: "status", status: 403, times: 9 }],
    failure: "denied",
    text: /answered 403/,
  },
  "an unknown repository": {
    faults: [
      {
        method: "POST",
        ...upload,
        kind: "status",
        status: 404,
        body: '{"errors":[{"code":"NAME_UNKNOWN","message":"no such\\nrepository"}]}',
        times: 9,
      },
    ],
    failure: "name-unknown",
    text: /404 NAME_UNKNOWN \(no such repository\)/,
  },
  "a registry that always finds the digest wrong": {
    faults: [{ ...put, kind: "status", status: 400, body: '{"errors":[{"code":"DIGEST_INVALID"}]}', times: 99 }],
    failure: "refused",
    text: /DIGEST_INVALID/,
  },
  "a registry that stores something else": {
    faults: [{ ...put, kind: "headers", headers: { "docker-content-digest": `sha256:${"0".repeat(64)}` }, times: 9 }],
    failure: "invalid",
    text: /stored it as sha256:0000/,
  },
  "endless 500": { faults: [{ ...put, kind: "status", status: 500, times: 99 }], failure: "unavailable", text: /answered 500/ },
  "an answer without location": {
    faults: [{ method: "POST", ...upload, kind: "headers", headers: { location: undefined }, times: 9 }],
    failure: "invalid",
    text: /does not say where/,
  },
};

for (const [name, { faults, failure, text }] of Object.entries(refused)) {
  test(`push ends with ${name}`, async (t) => {
    const { registry, client, image } = await setUp(t);
    registry.order(...faults);
    const push = client.openPush([parseReference(`${registry.host}/app:1`)]);
    await assert.rejects(push.finish(encodeRelease([image])), (error: RegistryError) => {
      assert.equal(error.failure, failure);
      assert.match(error.message, text);
      assert.match(error.message, /^Cannot push "/);
      return true;
    });
    assert.equal(registry.repositories.get("app")?.manifests.size ?? 0, 0);
  });
}

test("bytes that are not what the layer says do not get in", async (t) => {
  const { registry, client } = await setUp(t);
  const wrong = { ...layerOf(bytes), open: layerOf(makeBytes(3_000_000, 4)).open };
  await assert.rejects(client.openPush([parseReference(`${registry.host}/app:1`)]).layer(wrong), /DIGEST_INVALID/);
  assert.equal(has(registry, "app"), false);
});

test("several destinations get one upload per registry; other repositories mount", async (t) => {
  const { registry, client, image } = await setUp(t);
  const second = await startRegistry(t);
  const names = [`${registry.host}/a:1`, `${registry.host}/a:2`, `${registry.host}/b/c:1`, `${registry.host}/d:1`, `${second.host}/a:1`];
  const done = await client.openPush(names.map(parseReference)).finish(encodeRelease([image]));
  assert.deepEqual(
    done.map(({ reference }) => `${reference.registry}/${reference.repository}:${reference.tag}`),
    names,
  );
  for (const [at, uploads] of [
    [registry, 1],
    [second, 1],
  ] as const)
    assert.equal(at.count("PUT", put.path), uploads);
  assert.equal(registry.count("POST", new RegExp(`mount=${encodeURIComponent(digest)}&from=a`)), 2);
  assert.equal(client.transferred().uploaded, 2 * bytes.length);
  for (const repository of ["a", "b/c", "d"]) assert.ok(has(registry, repository));
});

test("a refused mount becomes an upload in the session that it opened", async (t) => {
  const { registry, client, image } = await setUp(t, { refusesMounts: true });
  await client.openPush([`${registry.host}/a:1`, `${registry.host}/b:1`].map(parseReference)).finish(encodeRelease([image]));
  assert.ok(has(registry, "a") && has(registry, "b"));
  assert.equal(registry.count("POST", /uploads\/$/), 2, "one for the layer and one for the config, both in the first repository");
  assert.equal(registry.count("POST", /mount=/), 2);
});

test("the layers of a base are mounted on its own registry, and streamed to another without being stored", async (t) => {
  const { registry, client } = await setUp(t);
  const other = await startRegistry(t);
  putImage(registry, "base", "1", { layers: [bytes] });
  const base = await client.resolve(parseReference(`${registry.host}/base:1`), amd64);
  const image = makeImage({ layers: [bytes] });
  await client.openPush([parseReference(`${registry.host}/app:1`)]).finish(encodeRelease([{ ...image, image: base }]));
  assert.deepEqual(client.transferred(), { downloaded: 0, uploaded: 0 });
  other.order({ ...put, kind: "cut-upload", after: 1_000_000 });
  registry.order({ method: "GET", path: new RegExp(`blobs/${digest}`), kind: "cut", after: 2_000_000 });
  await client.openPush([parseReference(`${other.host}/app:1`)]).finish(encodeRelease([{ ...image, image: base }]));
  assert.ok(has(registry, "app") && has(other, "app"));
});

test("tags come last; where one fails, the error names those that were put", async (t) => {
  const { registry, client, image } = await setUp(t);
  registry.order({ method: "PUT", path: /\/b\/manifests\/1$/, kind: "refuse", status: 403, times: 9 });
  const names = [`${registry.host}/a:1`, `${registry.host}/b:1`].map(parseReference);
  await assert.rejects(client.openPush(names).finish(encodeRelease([image])), (error: RegistryError) => {
    assert.match(error.message, new RegExp(`^Cannot push "${registry.host}/b:1": .* 403; already put: ${registry.host}/a:1$`));
    return error.failure === "denied";
  });
  const order = registry.requests
    .filter(({ method, path }) => method === "PUT" && path.includes("/manifests/"))
    .map(({ path }) => path.split("/").at(-1));
  assert.deepEqual(order.slice(0, 2), Array(2).fill(image.manifest.descriptor.digest));
});

test("no tag moves where another destination refuses the manifest", async (t) => {
  const { registry, client, image } = await setUp(t);
  registry.order({ method: "PUT", path: /\/b\/manifests\/sha256/, kind: "refuse", status: 400, times: 9 });
  await assert.rejects(
    client.openPush([`${registry.host}/a:1`, `${registry.host}/b:1`].map(parseReference)).finish(encodeRelease([image])),
    /answered 400/,
  );
  assert.equal(registry.repositories.get("a")?.manifests.has("1"), false);
});

test("an immutable tag that already names the image is no failure, one that names another is", async (t) => {
  const { registry, client, image } = await setUp(t);
  const immutable = {
    method: "PUT",
    path: /manifests\/1$/,
    kind: "refuse",
    status: 409,
    body: '{"errors":[{"code":"TAG_IMMUTABLE"}]}',
  } as const;
  const reference = parseReference(`${registry.host}/app:1`);
  await client.openPush([reference]).finish(encodeRelease([image]));
  registry.order(immutable);
  await client.openPush([reference]).finish(encodeRelease([image]));
  registry.order(immutable);
  await assert.rejects(client.openPush([reference]).finish(encodeRelease([makeImage({ layers: [makeBytes(10)] })])), /TAG_IMMUTABLE/);
});

const refusals: readonly (readonly [who: string, status: number, body: string])[] = [
  [
    "Amazon's",
    400,
    "TAG_INVALID: The image tag '1' already exists in the 'app' repository and cannot be overwritten because the repository is immutable.",
  ],
  ["Google's", 400, "MANIFEST_INVALID: The repository has enabled tag immutability"],
  ["Harbor", 412, "PRECONDITION: Failed to process request due to 'app:1' configured as immutable."],
];
for (const [who, status, text] of refusals)
  test(`with --push-ignore-immutable-tag-errors ${who} refusal to move a tag is a warning`, async (t) => {
    const { registry, client, image, texts } = await setUp(t, {}, { ignoreImmutableTags: true });
    const [code, message] = text.split(": ");
    const body = JSON.stringify({ errors: [{ code, message }] });
    registry.order({ method: "PUT", path: /manifests\/1$/, kind: "refuse", status, body, times: 9 });
    const [put] = await client.openPush([parseReference(`${registry.host}/app:1`)]).finish(encodeRelease([image]));
    assert.equal(put?.digest, image.manifest.descriptor.digest);
    assert.match(texts.join("\n"), /^warning: Cannot push .*; the tag stays as it is/m);
  });

test("--push-ignore-immutable-tag-errors leaves other refusals what they are", async (t) => {
  const { registry, client, image } = await setUp(t, {}, { ignoreImmutableTags: true });
  registry.order({ method: "PUT", path: /manifests\/1$/, kind: "refuse", status: 403, body: '{"errors":[{"code":"DENIED"}]}', times: 9 });
  await assert.rejects(client.openPush([parseReference(`${registry.host}/app:1`)]).finish(encodeRelease([image])), /DENIED|403/);
});

test("--push-retry tries the whole again", async (t) => {
  const { registry, client, image, texts } = await setUp(t, {}, { pushRetries: 2 });
  registry.order({ method: "POST", ...upload, kind: "status", status: 403, times: 3 });
  await client.openPush([parseReference(`${registry.host}/app:1`)]).finish(encodeRelease([image]));
  assert.ok(texts.some((text) => /^warning: Trying again \(1 of 2\) to push/.test(text)));
});

test("uploads may lie on another host, which sees no credentials", async (t) => {
  const taker = await startRegistry(t, { uploadHost: () => "" });
  const auth = { kind: "basic", username: "ci", password: "word" } as const;
  const registry = await startRegistry(t, { auth });
  const { client } = openTestClient(t, { dockerConfig: { json: JSON.stringify({ auths: { [registry.host]: auth } }) } });
  const location = `http://${taker.host}/v2/app/blobs/uploads/1?state=a%2Bb`;
  taker.order({ kind: "status", status: 201 });
  registry.order({ method: "POST", kind: "status", status: 401, headers: { "www-authenticate": 'Basic realm="x"' } });
  registry.order({ method: "POST", kind: "status", status: 202, headers: { location } });
  await client.openPush([parseReference(`${registry.host}/app:1`)]).layer(layerOf(bytes));
  assert.equal(taker.requests.length, 1);
  assert.equal(taker.requests[0]?.authorization, undefined);
  assert.match(taker.requests[0]?.path ?? "", /^\/v2\/app\/blobs\/uploads\/1\?state=a%2Bb&digest=sha256/);
});

test("checkPush starts and cancels one upload per repository", async (t) => {
  const { registry, client } = await setUp(t);
  await client.checkPush([`${registry.host}/a:1`, `${registry.host}/a:2`, `${registry.host}/b:1`].map(parseReference));
  assert.equal(registry.count("POST", /uploads\/$/), 2);
  registry.order({ method: "DELETE", kind: "status", status: 405 });
  await client.checkPush([parseReference(`${registry.host}/c:1`)]);
  await client.close();
  assert.equal(registry.count("DELETE", /uploads\/./), 3);
});

test("abort stops uploads, cancels what was begun, and leaves no image", async (t) => {
  const { registry, client } = await setUp(t);
  const push = client.openPush([parseReference(`${registry.host}/app:1`)]);
  let began = 0;
  const slow: Layer = {
    ...layerOf(bytes),
    async *open(signal) {
      yield bytes.subarray(0, 100);
      began = Date.now();
      setTimeout(() => void push.abort(), 50);
      await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    },
  };
  const coming = push.layer(slow);
  await assert.rejects(coming, /abandoned/);
  await push.abort();
  assert.ok(Date.now() - began < 500);
  assert.equal(registry.repositories.size, 0);
  assert.equal(registry.count("DELETE", /uploads\/./), 1);
});

test("foreign layers are not pushed", async (t) => {
  const { registry, client } = await setUp(t);
  const layer = layerOf(bytes);
  const foreign = {
    ...layer,
    descriptor: { ...layer.descriptor, mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", urls: ["https://x.test/"] },
  };
  await client.openPush([parseReference(`${registry.host}/app:1`)]).layer(foreign);
  assert.equal(registry.requests.length, 0);
});

test("what was pushed is what is pulled", async (t) => {
  const { registry, client, image } = await setUp(t);
  const reference = parseReference(`${registry.host}/app:1`);
  await client.openPush([reference]).finish(encodeRelease([image]));
  const back = await client.resolve(reference, amd64);
  assert.ok(back.layers[0] !== undefined && bytes.equals(await readAll(back.layers[0].open())));
});
