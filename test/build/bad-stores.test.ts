// Stores of every kind in every trouble: the build succeeds and says what happened, and the store is whole afterwards.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { CacheStore } from "../../src/build/build.ts";
import { defaultRegistryOptions } from "../../src/registry/registry.ts";
import { temporaryDirectory } from "../support/build.ts";
import { startCacheService } from "../support/cache-service.ts";
import { type Fault, startRegistry, type TestRegistry } from "../support/registry.ts";
import { assertBearable, digestWithout, openStoreBuilds, type Trouble } from "./store-builds.ts";

const broken = /^(?:Cannot (?:read|write to) the cache in|Passing over the record|Cannot use)/;

/** All below a directory but those by which builds find each other. */
function forEachFile(directory: string, change: (file: string) => void): void {
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) => !/writers|lock/.test(name));
  for (const file of names.map((name) => join(directory, name))) if (statSync(file).isFile()) change(file);
}

/** Does something again and again until it is stopped. */
function repeat(work: () => unknown): () => Promise<void> {
  let isStopped = false;
  const loop = (async () => {
    while (!isStopped) {
      await work();
      await sleep(1);
    }
  })();
  return async () => {
    isStopped = true;
    await loop;
  };
}

const onDisk: Readonly<Record<string, (path: string) => Trouble>> = {
  "is no directory": (path) => ({
    says: broken,
    heals: false,
    async begin() {
      await rm(path, { recursive: true });
      writeFileSync(path, "");
    },
  }),
  "is gone": (path) => ({ says: undefined, begin: () => rm(path, { recursive: true }) }),
  "has files that are cut short": (path) => ({
    says: /Passing over|starts anew/,
    begin: () => forEachFile(path, (file) => truncateSync(file, Math.floor(statSync(file).size / 2))),
  }),
  "has files with other bytes": (path) => ({
    says: /Passing over|starts anew|Cannot use/,
    begin: () => forEachFile(path, (file) => writeFileSync(file, "x".repeat(statSync(file).size))),
  }),
  "is emptied again and again": (path) => ({
    says: broken,
    maySayNothing: true,
    begin: () => repeat(() => rm(path, { recursive: true, force: true, maxRetries: 9 }).catch(() => {})),
  }),
  "was last used in the future": (path) => ({
    says: undefined,
    begin: () => forEachFile(path, (file) => utimesSync(file, 4e9, 4e9)),
  }),
};

const isWrite = (method: string, status: number): Fault => ({ kind: "refuse", method, status, path: /./, times: 1e6 });

const inRegistry: Readonly<Record<string, (registry: TestRegistry) => Trouble>> = {
  "has gone": (registry) => ({ says: broken, heals: false, begin: () => registry.stop() }),
  fails: (registry) => ({
    says: broken,
    begin() {
      registry.order({ kind: "refuse", status: 500, path: /./, times: 1e6 });
      return () => registry.calm();
    },
  }),
  "may only be read": (registry) => ({
    says: /Cannot write to the cache/,
    begin() {
      registry.order(...["POST", "PUT", "PATCH"].map((method) => isWrite(method, 403)));
      return () => registry.calm();
    },
  }),
  "is full": (registry) => ({
    says: /Cannot write to the cache/,
    begin() {
      registry.order(...["PUT", "PATCH"].map((method) => isWrite(method, 507)));
      return () => registry.calm();
    },
  }),
  "sends wrong bytes": (registry) => ({
    says: broken,
    begin() {
      registry.order({ kind: "corrupt", method: "GET", path: /blobs|manifests/, times: 1e6 });
      return () => registry.calm();
    },
  }),
  "cuts connections": (registry) => ({
    says: broken,
    begin() {
      registry.order({ kind: "cut", after: 10, method: "GET", path: /blobs|manifests/, times: 1e6 });
      return () => registry.calm();
    },
  }),
  "loses blobs": (registry) => ({
    says: broken,
    begin: () => registry.repositories.get("app/cache")?.blobs.clear(),
  }),
  "is emptied again and again": (registry) => ({
    says: broken,
    maySayNothing: true,
    begin: () => repeat(() => registry.repositories.get("app/cache")?.manifests.clear()),
  }),
};

const inService: Readonly<Record<string, (service: Awaited<ReturnType<typeof startCacheService>>) => Trouble>> = {
  fails: (service) => ({
    says: broken,
    begin() {
      service.order({ kind: "refuse", status: 500, path: /./, times: 1e6 });
      return () => service.calm();
    },
  }),
  "takes nothing": (service) => ({
    says: /Cannot write/,
    begin() {
      service.order({ kind: "refuse", status: 507, method: "PUT", path: /./, times: 1e6 });
      return () => service.calm();
    },
  }),
  "sends wrong bytes": (service) => ({
    says: /Cannot/,
    begin() {
      service.order({ kind: "corrupt", method: "GET", path: /./, times: 1e6 });
      return () => service.calm();
    },
  }),
  "cuts connections": (service) => ({
    says: /Cannot/,
    begin() {
      service.order({ kind: "cut", after: 10, method: "GET", path: /./, times: 1e6 });
      return () => service.calm();
    },
  }),
  "has lost all packs": (service) => ({ says: undefined, begin: () => service.remove(/pack/) }),
  "is emptied again and again": (service) => ({ says: broken, maySayNothing: true, begin: () => repeat(() => service.remove(/./)) }),
};

for (const [what, troubleOf] of Object.entries(onDisk))
  for (const kind of ["directory", "layout"] as const)
    test(`a ${kind} that ${what}`, async (t) => {
      const path = join(await temporaryDirectory(t), "store");
      await assertBearable(t, { kind, path, maxBytes: undefined }, troubleOf(path));
    });

for (const [what, troubleOf] of Object.entries(inRegistry))
  test(`a repository that ${what}`, async (t) => {
    const registry = await startRegistry(t);
    await assertBearable(t, { kind: "repository", reference: { registry: registry.host, repository: "app/cache" } }, troubleOf(registry));
  });

for (const [what, troubleOf] of Object.entries(inService))
  test(`a CI's cache that ${what}`, async (t) => {
    const service = await startCacheService(t);
    await assertBearable(t, { kind: "ci", access: service.access(), maxBytes: 1e9 }, troubleOf(service));
  });

test("a repository for which the credentials are wrong", async (t) => {
  const { host } = await startRegistry(t, { auth: { kind: "basic", username: "u", password: "p" } });
  const registryWith = (password: string) => {
    const auth = Buffer.from(`u:${password}`).toString("base64");
    return { registry: { ...defaultRegistryOptions, dockerConfig: { json: JSON.stringify({ auths: { [host]: { auth } } }) } } };
  };
  const store: CacheStore = { kind: "repository", reference: { registry: host, repository: "app/cache" } };
  const builds = await openStoreBuilds(t);
  for (const [password, says] of [
    ["wrong", /^Cannot read the cache in repository .*(?:credentials|401)/],
    ["p", undefined],
    ["wrong", /^Cannot read the cache in repository .*(?:credentials|401)/],
    ["p", undefined],
  ] as const) {
    const { digest, warnings } = await builds.build("first", store, undefined, registryWith(password));
    assert.equal(digest, await digestWithout(builds, "first"));
    assert.deepEqual(
      warnings.map((text) => says?.test(text)),
      says === undefined ? [] : [true],
      warnings.join("\n"),
    );
  }
});

const places: Readonly<Record<string, (t: TestContext) => Promise<CacheStore>>> = {
  directory: async (t) => ({ kind: "directory", path: join(await temporaryDirectory(t), "store"), maxBytes: undefined }),
  layout: async (t) => ({ kind: "layout", path: join(await temporaryDirectory(t), "store") }),
  repository: async (t) => ({ kind: "repository", reference: { registry: (await startRegistry(t)).host, repository: "app/cache" } }),
  "CI's cache": async (t) => ({ kind: "ci", access: (await startCacheService(t)).access(), maxBytes: 1e9 }),
};

for (const [what, place] of Object.entries(places)) {
  for (const years of [-10, 10])
    test(`a ${what} that was filled by a clock that was ${Math.abs(years)} years ${years < 0 ? "behind" : "ahead"}`, async (t) => {
      const store = await place(t);
      const now = Date.now();
      t.mock.timers.enable({ apis: ["Date"], now: now + years * 365 * 24 * 3600_000 });
      await assertBearable(t, store, { says: undefined, begin: () => t.mock.timers.setTime(now) });
    });

  test(`a ${what} whose entries have expired`, async (t) => {
    await assertBearable(t, await place(t), { says: undefined, begin: () => sleep(1100), maxAge: 1 });
  });

  test(`a ${what} to which several builds write the same at once`, async (t) => {
    const store = await place(t);
    const others: Promise<unknown>[] = [];
    const begin = async () => {
      for (let i = 0; i < 4; i++) {
        const { build } = await openStoreBuilds(t);
        others.push(build("second", store), build("first", store));
      }
      return () => Promise.all(others);
    };
    await assertBearable(t, store, { says: undefined, begin });
  });
}

const mounted = fileURLToPath(new URL("mounted-builds.ts", import.meta.url));

for (const kind of ["directory", "layout"])
  for (const trouble of ["read-only", "full"])
    test(`a ${kind} on a file system that is ${trouble}`, async (t) => {
      if (process.getuid?.() !== 0) return t.skip("only root can mount");
      await promisify(execFile)("unshare", ["-m", process.execPath, mounted, kind, trouble, await temporaryDirectory(t)]);
    });
