// Which credentials docker's configuration has for a repository.

import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openKeychain } from "../../src/registry/credentials.ts";

const silentReport = { emit() {}, mask() {} };
const login = (name: string) => ({ auth: Buffer.from(`${name}:pw-${name}`).toString("base64") });

async function find(config: unknown, registry: string, repository = "team/app", environment?: Record<string, string>) {
  const source = {
    json: typeof config === "string" ? config : JSON.stringify(config),
    ...(environment ? { helperEnvironment: environment } : {}),
  };
  const found = await openKeychain(source, silentReport).find(registry, repository);
  return found === undefined ? undefined : found.kind === "password" ? found.username : `${found.kind}:${found.token}`;
}

const hub = "index.docker.io";
const rows: readonly { name: string; auths: Record<string, object>; registry: string; repository?: string; user: string | undefined }[] = [
  { name: "the registry's own key", auths: { "a.test": login("a"), "b.test": login("b") }, registry: "b.test", user: "b" },
  { name: "no key", auths: { "a.test": login("a") }, registry: "b.test", user: undefined },
  { name: "a key with scheme and path", auths: { "https://a.test/v1/": login("a") }, registry: "a.test", user: "a" },
  {
    name: "Buildkite's key with a path",
    auths: { "packages.buildkite.com/org/reg": login("bk") },
    registry: "packages.buildkite.com",
    repository: "org/reg/app",
    user: "bk",
  },
  { name: "a key whose host alone fits", auths: { "a.test/else/where": login("a") }, registry: "a.test", user: "a" },
  {
    name: "the exact key before one whose host fits",
    auths: { "https://a.test/x": login("x"), "a.test": login("exact") },
    registry: "a.test",
    user: "exact",
  },
  { name: "a port that differs", auths: { "a.test:5000": login("a") }, registry: "a.test", user: undefined },
  { name: "a port that is the same", auths: { "a.test:5000": login("a") }, registry: "a.test:5000", user: "a" },
  { name: "Docker Hub's key", auths: { "https://index.docker.io/v1/": login("hub") }, registry: hub, user: "hub" },
  { name: "Docker Hub's short key", auths: { "docker.io": login("hub") }, registry: hub, user: "hub" },
  { name: "Docker Hub's API host", auths: { "https://registry-1.docker.io": login("hub") }, registry: hub, user: "hub" },
  {
    name: "the longest path",
    auths: { "a.test": login("all"), "a.test/team": login("team"), "a.test/team/app": login("app") },
    registry: "a.test",
    user: "app",
  },
  {
    name: "a path above",
    auths: { "a.test": login("all"), "a.test/team": login("team") },
    registry: "a.test",
    repository: "team/other",
    user: "team",
  },
  { name: "a path that only begins alike", auths: { "a.test": login("all"), "a.test/tea": login("tea") }, registry: "a.test", user: "all" },
  { name: "username and password", auths: { "a.test": { username: "u", password: "p" } }, registry: "a.test", user: "u" },
  { name: "an identity token", auths: { "a.test": { ...login("u"), identitytoken: "id" } }, registry: "a.test", user: "identity:id" },
  { name: "a registry token", auths: { "a.test": { registrytoken: "rt" } }, registry: "a.test", user: "bearer:rt" },
  { name: "an empty entry", auths: { "a.test": {} }, registry: "a.test", user: undefined },
  { name: "an auth that is none", auths: { "a.test": { auth: "bm9jb2xvbg==" } }, registry: "a.test", user: undefined },
  { name: "a look-alike host", auths: { "a.test.evil.test": login("evil"), "ba.test": login("ba") }, registry: "a.test", user: undefined },
];

for (const { name, auths, registry, repository, user } of rows) {
  test(`credentials for ${registry}, ${name}: ${user}`, async () => assert.equal(await find({ auths }, registry, repository), user));
}

test("a password may hold colons", async () => {
  const auths = { "a.test": { auth: Buffer.from("u:a:b:c").toString("base64") } };
  const found = await openKeychain({ json: JSON.stringify({ auths }) }, silentReport).find("a.test", "x");
  assert.deepEqual(found, { kind: "password", username: "u", password: "a:b:c", described: 'user "u" from DOCKER_AUTH_CONFIG' });
});

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("the JSON of the environment is asked before the file, and the file where it knows nothing", async (t) => {
  const folder = await makeFolder(t);
  const file = join(folder, "config.json");
  await writeFile(file, JSON.stringify({ auths: { "a.test": login("file"), "b.test": login("b") } }));
  const keychain = openKeychain({ json: JSON.stringify({ auths: { "a.test": login("json") } }), file }, silentReport);
  assert.match((await keychain.find("a.test", "x"))?.described ?? "", /user "json"/);
  assert.equal((await keychain.find("b.test", "x"))?.described, `user "b" from ${file}`);
  assert.equal(await openKeychain({ file: join(folder, "none.json") }, silentReport).find("a.test", "x"), undefined);
});

test("a configuration that is no JSON is refused without showing what it holds", async () => {
  for (const json of ['{"auths": {"a.test": {"password": "hush"', "[]", "null"]) {
    await assert.rejects(
      find(json, "a.test"),
      (error: Error) => /DOCKER_AUTH_CONFIG/.test(error.message) && !error.message.includes("hush"),
    );
  }
});

/** A helper that knows `good.test` and `token.test`, and writes down what it was asked. */
async function makeHelper(t: TestContext): Promise<{ environment: Record<string, string> }> {
  const folder = await makeFolder(t);
  const script = [
    "#!/bin/sh",
    "read server",
    'case "$1:$server" in',
    'get:good.test) echo \'{"ServerURL":"good.test","Username":"helped","Secret":"s3cret"}\';;',
    'get:token.test) echo \'{"Username":"<token>","Secret":"idtok"}\';;',
    'get:https://index.docker.io/v1/) echo \'{"Username":"hub","Secret":"s"}\';;',
    "get:junk.test) echo '{';;",
    "get:broken.test) echo 'vault is locked'; exit 3;;",
    "*) echo 'credentials not found in native keychain'; exit 1;;",
    "esac",
  ].join("\n");
  await writeFile(join(folder, "docker-credential-fake"), script);
  await chmod(join(folder, "docker-credential-fake"), 0o755);
  return { environment: { PATH: `${folder}:/usr/bin:/bin` } };
}

test("credential helpers are asked for their registry, the store for all", async (t) => {
  const { environment } = await makeHelper(t);
  const ask = (config: object, registry: string) => find(config, registry, "team/app", environment);
  assert.equal(await ask({ credHelpers: { "good.test": "fake" } }, "good.test"), "helped");
  assert.equal(await ask({ credHelpers: { "good.test": "fake" } }, "token.test"), undefined);
  assert.equal(await ask({ credsStore: "fake" }, "token.test"), "identity:idtok");
  assert.equal(await ask({ credsStore: "fake" }, hub), "hub");
  assert.equal(await ask({ credsStore: "fake", auths: { "other.test": login("file") } }, "other.test"), "file");
  assert.equal(await ask({ credsStore: "fake" }, "other.test"), undefined);
});

test("a helper that fails, is missing, or writes junk is named", async (t) => {
  const { environment } = await makeHelper(t);
  const ask = (config: object, registry: string) => find(config, registry, "team/app", environment);
  await assert.rejects(
    ask({ credsStore: "fake" }, "broken.test"),
    /"broken.test": docker-credential-fake ended with code 3: vault is locked/,
  );
  await assert.rejects(ask({ credsStore: "fake" }, "junk.test"), /what docker-credential-fake wrote is no JSON/);
  await assert.rejects(ask({ credsStore: "none-such" }, "good.test"), /docker-credential-none-such does not start/);
});
