// Builds that ask for another compression than those that filled the cache: no step is done again, and the image is the one of a build without it.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { CacheStore, Request } from "../../src/build/build.ts";
import { parseReference } from "../../src/image/reference.ts";
import { startCacheService } from "../support/cache-service.ts";
import { openCachedBuilds } from "./cached-builds.ts";

const app = `FROM BASE AS build
WORKDIR /src
COPY . .
RUN cat main > /out
FROM BASE
COPY --from=build /out /app/
COPY --link main /linked/
RUN mkdir /made && cp /app/out /made/`;
const source = { main: "m1", other: "o1", ".dockerignore": "Dockerfile\n.dockerignore" };
/** With times that are those of a build without the cache. */
const settled: Partial<Request> = { buildArgs: new Map([["SOURCE_DATE_EPOCH", "1500000000"]]), rewriteTimestamp: true };
const gzip = { ...settled, compression: "gzip" } as const;
const zstd = { ...settled, compression: "zstd" } as const;

type Tools = NonNullable<Awaited<ReturnType<typeof openCachedBuilds>>>;

/** Layers that went to or came from the registry while builds ran. */
function watch({ registry }: Tools) {
  const begin = registry.requests.length;
  return () => registry.requests.slice(begin).filter(({ method, path }) => /GET|PUT|PATCH/.test(method) && path.includes("/blobs/")).length;
}

function blobsOf(directory: string): readonly string[] {
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return names.filter((name) => /blobs\/.*[0-9a-f]{64}$/.test(name)).map((name) => join(directory, name));
}

const isZstd = (path: string) => readFileSync(path).readUInt32LE() === 0xfd2fb528;

const ways: Readonly<Record<string, readonly [before: Partial<Request>, after: Partial<Request>]>> = {
  "zstd after gzip": [gzip, zstd],
  "gzip after zstd": [zstd, gzip],
  "another level of gzip": [gzip, { ...gzip, compressionLevel: 9 }],
  "another level of zstd": [zstd, { ...zstd, compressionLevel: 12 }],
};

const places: Readonly<Record<string, (tools: Tools, t: TestContext) => Promise<CacheStore>>> = {
  "a directory": async ({ directory }) => ({ kind: "directory", path: directory, maxBytes: undefined }),
  "a repository": async ({ registry }) => ({ kind: "repository", reference: { registry: registry.host, repository: "app/cache" } }),
  "the cache service of GitHub": async (_, t) => ({ kind: "ci", access: (await startCacheService(t)).access(), maxBytes: 1e9 }),
};

for (const [what, [before, after]] of Object.entries(ways))
  for (const [where, place] of Object.entries(places)) {
    if (where !== "a directory" && what !== "zstd after gzip") continue;
    test(`${what}, with ${where}`, async (t) => {
      const tools = await openCachedBuilds(t);
      if (tools === undefined) return;
      const cache = { stores: [await place(tools, t)] };
      const first = await tools.build(app, source, cache, before);
      const second = await tools.build(app, source, cache, after);
      assert.deepEqual(second.outcomes, { "stage-1": ["cached", "cached", "cached"] });
      const cold = await tools.build(app, source, {}, { ...after, cache: undefined });
      assert.equal(second.digest, cold.digest);
      assert.notEqual(second.digest, first.digest);
      const moved = watch(tools);
      for (const [due, more] of [
        [first, before],
        [second, after],
        [first, before],
      ] as const) {
        const third = await tools.build(app, source, cache, more);
        assert.deepEqual(third.outcomes, { "stage-1": ["cached", "cached", "cached"] });
        assert.equal(third.digest, due.digest);
        assert.deepEqual([...second.warnings, ...third.warnings], []);
      }
      assert.equal(moved(), 0);
      const edited = { ...source, main: "m2" };
      const partly = await tools.build(app, edited, cache, after);
      assert.deepEqual(partly.outcomes.build, ["cached", "done", "done"]);
      assert.equal(partly.digest, (await tools.build(app, edited, {}, { ...after, cache: undefined })).digest);
    });
  }

for (const [what, level] of [
  ["gzip", 6],
  ["zstd", 3],
] as const)
  test(`the usual level of ${what} is the same whether it is given or not`, async (t) => {
    const tools = await openCachedBuilds(t);
    if (tools === undefined) return;
    const usual = { ...settled, compression: what };
    const first = await tools.build(app, source, {}, usual);
    const count = blobsOf(tools.directory).length;
    const second = await tools.build(app, source, {}, { ...usual, compressionLevel: level });
    assert.equal(second.digest, first.digest);
    assert.equal(blobsOf(tools.directory).length, count);
    await tools.build(app, { ...source, main: "m2" }, {}, { ...usual, compressionLevel: 9 });
    const third = await tools.build(app, { ...source, main: "m2" }, {}, usual);
    assert.equal(third.digest, (await tools.build(app, { ...source, main: "m2" }, {}, { ...usual, cache: undefined })).digest);
  });

test("what lies below the steps that are done is compressed anew, and nothing that is only copied from", async (t) => {
  const tools = await openCachedBuilds(t);
  if (tools === undefined) return;
  await tools.build(app, source, {}, gzip);
  const dockerfile = `${app}\nRUN echo more >/more\nCOPY --from=build /src/other /`;
  const built = await tools.build(dockerfile, source, {}, zstd);
  assert.deepEqual(built.outcomes, { build: ["cached", "cached", "cached"], "stage-1": ["cached", "cached", "cached", "done", "done"] });
  assert.equal(built.digest, (await tools.build(dockerfile, source, {}, { ...zstd, cache: undefined })).digest);
  assert.equal(blobsOf(tools.directory).filter(isZstd).length, 5);
});

const spoil = (path: string) => {
  const bytes = readFileSync(path);
  bytes[bytes.length - 9] = 255 - (bytes[bytes.length - 9] ?? 0);
  writeFileSync(path, bytes);
};

/** What happens to the blobs of one kind; then an image in zstd is asked for where its layers are not yet. */
const losses: Readonly<
  Record<string, { readonly lost: (path: string) => boolean; readonly harm: (path: string) => void; readonly isDone: boolean }>
> = {
  "the second variant is gone": { lost: isZstd, harm: rmSync, isDone: false },
  "the second variant is damaged": { lost: isZstd, harm: spoil, isDone: false },
  "both are damaged": { lost: () => true, harm: spoil, isDone: true },
};

for (const [what, { lost, harm, isDone }] of Object.entries(losses))
  test(`where ${what}, ${isDone ? "what needs it is built again" : "the other one serves"}, with a warning`, async (t) => {
    const tools = await openCachedBuilds(t);
    if (tools === undefined) return;
    await tools.build(app, source, {}, gzip);
    const due = await tools.build(app, source, {}, zstd);
    for (const path of blobsOf(tools.directory)) if (lost(path)) harm(path);
    const again = await tools.build(app, source, {}, { ...zstd, destinations: [parseReference(`${tools.registry.host}/other:1`)] });
    assert.equal(Object.values(again.outcomes).flat().includes("done"), isDone);
    assert.ok(again.warnings.length > 0);
    assert.equal(again.digest, due.digest);
    const last = await tools.build(app, source, {}, { ...zstd, destinations: [parseReference(`${tools.registry.host}/third:1`)] });
    assert.deepEqual(last.outcomes, { "stage-1": ["cached", "cached", "cached"] });
    assert.equal(last.digest, due.digest);
    assert.deepEqual(last.warnings, []);
  });

test("where the layer that is to be compressed anew is damaged, what needs it is built again, with a warning", async (t) => {
  const tools = await openCachedBuilds(t);
  if (tools === undefined) return;
  await tools.build(app, source, {}, gzip);
  for (const path of blobsOf(tools.directory)) spoil(path);
  const built = await tools.build(app, source, {}, zstd);
  assert.ok(built.outcomes["stage-1"]?.includes("done"));
  assert.ok(built.warnings.some((text) => /^Cannot use layer /.test(text)));
  assert.equal(built.digest, (await tools.build(app, source, {}, { ...zstd, cache: undefined })).digest);
});
