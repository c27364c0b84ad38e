// Challenges of registries, and the tokens and credentials that answer them.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { encodeRelease } from "../../src/image/encode.ts";
import { parseReference } from "../../src/image/reference.ts";
import type { RegistryError } from "../../src/registry/registry.ts";
import { startRegistry, type TestAuth } from "../support/registry.ts";
import { layerOf, makeBytes, makeImage, openTestClient, putImage, readAll } from "../support/registry-image.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const user = { username: "ci", password: "pass word:1" };
const bytes = makeBytes(600_000, 5);

async function setUp(t: TestContext, auth: TestAuth, entry: Record<string, string> | undefined) {
  const registry = await startRegistry(t, { auth });
  putImage(registry, "app", "1", { layers: [bytes] });
  const opened = openTestClient(
    t,
    entry === undefined ? {} : { dockerConfig: { json: JSON.stringify({ auths: { [registry.host]: entry } }) } },
  );
  return { registry, reference: parseReference(`${registry.host}/app:1`), ...opened };
}

const accepted: Record<string, { auth: TestAuth; entry?: Record<string, string>; pushes: boolean }> = {
  "basic, user and password": { auth: { kind: "basic", ...user }, entry: user, pushes: true },
  "basic, auth": { auth: { kind: "basic", ...user }, entry: { auth: Buffer.from("ci:pass word:1").toString("base64") }, pushes: true },
  "a token for anybody": { auth: { kind: "token" }, pushes: false },
  "a token for user and password": { auth: { kind: "token", ...user }, entry: user, pushes: true },
  "a token for an identity token": {
    auth: { kind: "token", ...user, identity: "id-token" },
    entry: { identitytoken: "id-token" },
    pushes: true,
  },
};

for (const [name, { auth, entry, pushes }] of Object.entries(accepted)) {
  test(`a registry that wants ${name} gets it`, async (t) => {
    const { registry, client, reference } = await setUp(t, auth, entry);
    const image = await client.resolve(reference, amd64);
    assert.ok(image.layers[0] !== undefined && bytes.equals(await readAll(image.layers[0].open())));
    if (!pushes) return;
    await client.checkPush([reference]);
    const names = [`${registry.host}/x:1`, `${registry.host}/y:1`].map(parseReference);
    await client.openPush(names).finish(encodeRelease([makeImage({ layers: [bytes] })]));
    assert.ok(registry.repositories.get("y")?.manifests.has("1"));
  });
}

test("a registry token is sent as it is", async (t) => {
  const registry = await startRegistry(t);
  putImage(registry, "app", "1");
  registry.order({
    path: /manifests/,
    kind: "refuse",
    status: 401,
    headers: { "www-authenticate": `Bearer realm="http://${registry.host}/token",service="s"` },
  });
  const { client } = openTestClient(t, {
    dockerConfig: { json: JSON.stringify({ auths: { [registry.host]: { registrytoken: "given" } } }) },
  });
  await client.resolve(parseReference(`${registry.host}/app:1`), amd64);
  assert.equal(registry.requests.at(-1)?.authorization, "Bearer given");
  assert.equal(registry.count("GET", /^\/token/), 0);
});

test("one token serves all requests of a scope", async (t) => {
  const { registry, client, reference } = await setUp(t, { kind: "token", ...user }, user);
  const image = await client.resolve(reference, amd64);
  await Promise.all(Array.from({ length: 5 }, () => readAll(image.layers[0]?.open() ?? layerOf(bytes).open())));
  assert.equal(registry.count("GET", /^\/token\?service=test\+registry&scope=repository%3Aapp%3Apull$/), 1);
});

test("a token that ends in the middle of anything is renewed", async (t) => {
  const { registry, client, reference } = await setUp(t, { kind: "token", ...user }, user);
  const image = await client.resolve(reference, amd64);
  const blob = { method: "GET", path: /blobs\/sha256/ } as const;
  registry.order({ ...blob, kind: "cut", after: 100_000 });
  const chunks: Uint8Array[] = [];
  for await (const chunk of image.layers[0]?.open() ?? []) {
    if (chunks.length === 0) registry.revokeTokens();
    chunks.push(chunk);
  }
  assert.ok(bytes.equals(Buffer.concat(chunks)));
  const push = client.openPush([parseReference(`${registry.host}/new:1`)]);
  await push.layer(layerOf(bytes));
  registry.revokeTokens();
  await push.finish(encodeRelease([makeImage({ layers: [bytes] })]));
  assert.ok(registry.repositories.get("new")?.manifests.has("1"));
});

test("a token that is about to end is not used", async (t) => {
  const { registry, client, reference } = await setUp(t, { kind: "token", ...user, lifeSeconds: 5 }, user);
  await client.resolve(reference, amd64);
  assert.equal(registry.requests.filter(({ status, path }) => status === 401 && path.startsWith("/v2/app")).length, 1);
  assert.ok(registry.count("GET", /^\/token/) >= 2);
});

test("mounting from a repository that may not be read falls back to an upload", async (t) => {
  const { registry, client } = await setUp(t, { kind: "token", ...user, denies: /:secret:/ }, user);
  const layer = { ...layerOf(bytes), origin: { registry: registry.host, repository: "secret" } };
  await client.openPush([parseReference(`${registry.host}/new:1`)]).layer(layer);
  assert.ok(registry.repositories.get("new")?.blobs.has(layer.descriptor.digest));
});

const refused: Record<string, { auth: TestAuth; entry?: Record<string, string>; failure: string; hint: RegExp }> = {
  "wrong basic credentials": {
    auth: { kind: "basic", ...user },
    entry: { username: "ci", password: "hush" },
    failure: "unauthorized",
    hint: /user "ci" from DOCKER_AUTH_CONFIG were sent and not accepted/,
  },
  "no basic credentials": { auth: { kind: "basic", ...user }, failure: "unauthorized", hint: /no credentials for .* run "docker login / },
  "wrong credentials for a token": {
    auth: { kind: "token", ...user },
    entry: { username: "ci", password: "hush" },
    failure: "unauthorized",
    hint: /were sent and not accepted/,
  },
  "no credentials for a token": { auth: { kind: "token", ...user }, failure: "unauthorized", hint: /no credentials for/ },
  "a scope that is not granted": {
    auth: { kind: "token", ...user, denies: /app/ },
    entry: user,
    failure: "denied",
    hint: /lack the permission/,
  },
};

for (const [name, { auth, entry, failure, hint }] of Object.entries(refused)) {
  test(`${name}: the error says what was sent, and keeps the secret`, async (t) => {
    const { client, reference, texts } = await setUp(t, auth, entry);
    for (const attempt of [client.resolve(reference, amd64), client.checkPush([reference])]) {
      await assert.rejects(attempt, (error: RegistryError) => {
        assert.equal(error.failure, failure);
        assert.match(error.hint ?? "", hint);
        assert.doesNotMatch(`${error.stack}${error.hint}${texts.join()}`, /hush|pass word/);
        return true;
      });
    }
  });
}

test("an anonymous token that may only pull is no leave to push", async (t) => {
  const { client, reference } = await setUp(t, { kind: "token" }, undefined);
  await assert.rejects(
    client.checkPush([reference]),
    (error: RegistryError) => error.failure === "unauthorized" && /no credentials/.test(error.hint ?? ""),
  );
});

test("secrets and tokens are masked", async (t) => {
  const { client, reference, masked } = await setUp(t, { kind: "token", ...user }, user);
  await client.resolve(reference, amd64);
  assert.ok(masked.includes(user.password) && masked.includes(Buffer.from(`ci:${user.password}`).toString("base64")));
  assert.ok(masked.some((secret) => /^[0-9a-f-]{36}$/.test(secret)));
});

test("credentials are looked up again for each new token", async (t) => {
  const { registry, client, reference } = await setUp(t, { kind: "token", ...user }, user);
  registry.order({ path: /^\/token/, kind: "refuse", status: 401 });
  await assert.rejects(client.resolve(reference, amd64), /answered 401/);
  assert.equal((await client.resolve(reference, amd64)).layers.length, 1);
});
