// Pruning what builds have left, through the stores that builds use.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { BuildFailure, type CacheStore, prune } from "../../src/build/build.ts";
import { parseReference } from "../../src/image/reference.ts";
import { defaultRegistryOptions } from "../../src/registry/registry.ts";
import { openBuilder, temporaryDirectory } from "../support/build.ts";
import { startCacheService } from "../support/cache-service.ts";
import { startRegistry } from "../support/registry.ts";
import { outcomesOf, usualCache } from "./cached-builds.ts";

type Limits = Parameters<typeof prune>[0]["limits"];

async function open(t: TestContext, stores: readonly CacheStore[]) {
  const builder = await openBuilder(t);
  const build = async (text: string) => {
    builder.events.length = 0;
    const dockerfile = "FROM scratch\nCOPY a /\nCOPY b /";
    await builder.build({ Dockerfile: dockerfile, a: text, b: text }, { cache: { ...usualCache, stores }, outputs: {} });
    return outcomesOf(builder.events)["stage-0"];
  };
  const tools = { report: { emit() {}, mask() {} }, signal: new AbortController().signal };
  const pruneTo = async (limits: Limits) => {
    const pruned = await prune({ stores, stateDir: undefined, scope: "", limits, registry: defaultRegistryOptions }, tools);
    return pruned.map(({ outcome }) => {
      if (!("removedRecords" in outcome || outcome instanceof BuildFailure)) throw new Error("caches were pruned");
      return { outcome };
    });
  };
  return { build, pruneTo };
}

const places: Readonly<Record<string, (t: TestContext) => Promise<CacheStore>>> = {
  "a directory": async (t) => ({ kind: "directory", path: join(await temporaryDirectory(t), "store"), maxBytes: undefined }),
  "an image layout": async (t) => ({ kind: "layout", path: join(await temporaryDirectory(t), "store") }),
  "a repository": async (t) => ({ kind: "repository", reference: parseReference(`${(await startRegistry(t)).host}/c`) }),
  "the cache service of GitHub": async (t) => ({ kind: "ci", access: (await startCacheService(t)).access(), maxBytes: 1e9 }),
};

for (const [what, place] of Object.entries(places))
  test(`what is pruned from ${what} is built again, and what is not is found`, async (t) => {
    const store = await place(t);
    const { build, pruneTo } = await open(t, [store]);
    assert.deepEqual(await build("x"), ["done", "done"]);
    assert.deepEqual(await build("x"), ["cached", "cached"]);
    for (const limits of [
      { maxBytes: 0, dryRun: true },
      { unusedFor: 3600, dryRun: false },
      { maxBytes: 1e9, dryRun: false },
    ]) {
      const [pruned] = await pruneTo(limits);
      assert.ok(pruned !== undefined && !(pruned.outcome instanceof BuildFailure));
      assert.equal(pruned.outcome.removedRecords > 0, limits.dryRun);
      assert.deepEqual(await build("x"), ["cached", "cached"]);
    }
    const [pruned] = await pruneTo({ maxBytes: 0, dryRun: false });
    assert.ok(pruned !== undefined && !(pruned.outcome instanceof BuildFailure));
    assert.equal(pruned.outcome.keptRecords, 0);
    assert.deepEqual(await build("x"), ["done", "done"]);
  });

test("a store that cannot be pruned does not keep others from it", async (t) => {
  const { host } = await startRegistry(t, { deletesNothing: true });
  const path = join(await temporaryDirectory(t), "store");
  const repository = { kind: "repository", reference: parseReference(`${host}/c`) } as const;
  const { build, pruneTo } = await open(t, [repository, { kind: "directory", path, maxBytes: undefined }]);
  await build("x");
  const [first, second] = await pruneTo({ maxBytes: 0, dryRun: false });
  assert.match(first?.outcome instanceof BuildFailure ? first.outcome.message : "", /the registry does not let its clients delete/);
  assert.ok(second !== undefined && !(second.outcome instanceof BuildFailure));
  assert.ok(second.outcome.removedRecords > 0);
  assert.deepEqual(readdirSync(join(path, "v1", "blobs")), []);
});
