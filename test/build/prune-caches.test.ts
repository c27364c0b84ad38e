// What RUN mounts as caches, made smaller by `slipway prune --state-dir`.

import assert from "node:assert/strict";
import { readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type PruneRequest, prune } from "../../src/build/prune.ts";
import { defaultRegistryOptions } from "../../src/registry/registry.ts";
import { temporaryDirectory } from "../support/build.ts";
import { openCachedBuilds } from "./cached-builds.ts";

const dockerfile = `FROM BASE
RUN --mount=type=cache,target=/old dd if=/dev/zero of=/old/file bs=1000 count=3 2>/dev/null
RUN --mount=type=cache,target=/new dd if=/dev/zero of=/new/file bs=1000 count=5 2>/dev/null
RUN --mount=type=cache,target=/old --mount=type=cache,target=/new ls -l /old /new | grep -c file || true`;

test("caches go by their last use and their size, and come anew", async (t) => {
  const tools = await openCachedBuilds(t);
  if (tools === undefined) return;
  const stateDir = join(await temporaryDirectory(t), "state");
  const state = { cache: undefined, stateDir, stateIsPrivate: false };
  await tools.build(dockerfile, {}, {}, state);
  const caches = join(stateDir, "caches");
  const slots = readdirSync(caches, { recursive: true, encoding: "utf8" }).filter((name) => /^[^/]+\/[^/]+\/\d+$/.test(name));
  const bytesIn = (slot: string) => statSync(join(caches, slot, "fs/file")).size;
  assert.deepEqual(slots.map(bytesIn).sort(), [3000, 5000]);
  const old = slots.find((slot) => bytesIn(slot) === 3000) ?? "";
  utimesSync(join(caches, old), 1e9, 1e9);
  const pruneTo = async (limits: PruneRequest["limits"]) => {
    const request = { stores: [], stateDir, scope: "", limits, registry: defaultRegistryOptions };
    const [pruned] = await prune(request, { report: { emit() {}, mask() {} }, signal: new AbortController().signal });
    return pruned?.outcome;
  };
  const gone = { removedCaches: 1, freedBytes: 3000, keptCaches: 1, keptBytes: 5000 };
  assert.deepEqual(await pruneTo({ unusedFor: 3600, dryRun: true }), gone);
  assert.deepEqual(await pruneTo({ maxBytes: 6000, dryRun: false }), gone);
  assert.deepEqual(await pruneTo({ unusedFor: 3600, dryRun: false }), { removedCaches: 0, freedBytes: 0, keptCaches: 1, keptBytes: 5000 });
  await tools.build(dockerfile, {}, {}, state);
  utimesSync(join(caches, old), 1e9, 1e9);
  await tools.build(dockerfile, {}, {}, { ...state });
  assert.equal(((await pruneTo({ unusedFor: 3600, dryRun: false })) as typeof gone).removedCaches, 0, "they were used");
  assert.deepEqual(await pruneTo({ maxBytes: 0, dryRun: false }), { removedCaches: 2, freedBytes: 8000, keptCaches: 0, keptBytes: 0 });
});
