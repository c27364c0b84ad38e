// What `explain` says of builds before they run.

import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { CacheRequest, CacheStore, ExplainedStage, Request } from "../../src/build/build.ts";
import { startCacheService } from "../support/cache-service.ts";
import { type Files, openCachedBuilds } from "./cached-builds.ts";

const app = `FROM BASE AS build
COPY package /src/
RUN cp /src/package /installed
COPY main /src/
FROM BASE
COPY --from=build /src/main /app/
RUN true`;
const source = { package: "p1", main: "m1" };

/** `STEP state` of each step that says why, or where. */
function linesOf(explained: readonly ExplainedStage[] | undefined): readonly string[] {
  const lines = (explained ?? []).flatMap(({ steps }) =>
    steps.map(({ id, state, why }) => `${id} ${state}${why === undefined ? "" : `: ${why}`}`),
  );
  return lines.map((line) => line.replaceAll(/@sha256:\w+|127\.0\.0\.1:\d+\//g, ""));
}

const unknown = "not in the cache: no earlier build of it is known";
const rows: readonly (readonly [
  what: string,
  of: { readonly dockerfile?: string; readonly files?: Files; readonly cache?: Partial<CacheRequest>; readonly more?: Partial<Request> },
  says: readonly string[],
])[] = [
  [
    "an unchanged build",
    {},
    ["build 2/4 not needed", "build 3/4 not needed", "build 4/4 not needed", "stage-1 2/3 cached", "stage-1 3/3 cached"],
  ],
  [
    "one with an edit",
    { files: { ...source, package: "p2" } },
    [
      "build 2/4 to build: not in the cache: package changed",
      "build 3/4 to build: not in the cache: a step before it is built",
      "build 4/4 to build: not in the cache: a step before it is built",
      "stage-1 2/3 to build: not in the cache: stage build is built anew, and may yet come to the same",
      "stage-1 3/3 to build: not in the cache: a step before it is built",
    ],
  ],
  [
    "one whose RUNs are not cached",
    { cache: { runLayers: false } },
    [
      "build 2/4 not needed",
      "build 3/4 not needed",
      "build 4/4 not needed",
      "stage-1 2/3 cached",
      "stage-1 3/3 to build: layers of RUN and WORKDIR are not cached",
    ],
  ],
  [
    "one without the cache",
    { more: { uncached: { all: true, stages: [] } } },
    ["build 2/4", "build 3/4", "build 4/4", "stage-1 2/3", "stage-1 3/3"].map((id) => `${id} to build: the cache is not asked`),
  ],
  [
    "another Dockerfile",
    { dockerfile: "FROM BASE AS other\nRUN true\nCOPY --link main /\nFROM other\nCOPY --link main /" },
    [
      `other 2/3 to build: ${unknown}`,
      `other 3/3 to build: ${unknown}`,
      "stage-1 2/2 to build: not in the cache: the base was base:1, and is other",
    ],
  ],
  [
    "a linked layer on another base",
    { dockerfile: "FROM PLAIN AS other\nCOPY --link package /linked\nCOPY package /" },
    ["other 2/3 cached", `other 3/3 to build: ${unknown}`],
  ],
];

for (const [what, { dockerfile = app, files = source, cache, more }, says] of rows)
  test(`explains ${what}`, async (t) => {
    const tools = await openCachedBuilds(t);
    if (tools === undefined) return;
    await tools.build("FROM BASE\nCOPY --link package /linked", source);
    await tools.build(app, source);
    const built = await tools.build(app, source);
    const { explained, outcomes, notices, digest } = await tools.build(
      dockerfile,
      files,
      { explainOnly: true, ...cache },
      { push: false, ...more },
    );
    assert.deepEqual(linesOf(explained), says);
    assert.deepEqual([outcomes, notices, digest], [{}, [], undefined]);
    const after = await tools.build(app, source);
    assert.equal(after.digest, built.digest);
  });

test("what is said of each step is what the build then does", async (t) => {
  const tools = await openCachedBuilds(t);
  if (tools === undefined) return;
  await tools.build(app, source);
  const files = { ...source, main: "m2" };
  const { explained } = await tools.build(app, files, { explainOnly: true }, { push: false });
  const { outcomes } = await tools.build(app, files);
  for (const { name, steps } of explained ?? [])
    assert.deepEqual(
      steps.map(({ state }) => (state === "cached" ? "cached" : "done")),
      outcomes[name],
    );
});

test("explaining names the store, and writes to none", async (t) => {
  const tools = await openCachedBuilds(t);
  if (tools === undefined) return;
  const { registry, directory } = tools;
  const service = await startCacheService(t);
  const stores: readonly CacheStore[] = [
    { kind: "directory", path: directory, maxBytes: 1 },
    { kind: "layout", path: join(directory, "..", "layout") },
    { kind: "repository", reference: { registry: registry.host, repository: "cache" } },
    { kind: "ci", access: service.access(), maxBytes: 1e9 },
  ];
  for (const store of stores)
    await tools.build(app, source, { stores: [store.kind === "directory" ? { ...store, maxBytes: undefined } : store] });
  const look = () => [
    readdirSync(join(directory, ".."), { recursive: true, encoding: "utf8" }).map((name) => {
      const { ino, size } = statSync(join(directory, "..", name));
      return `${name} ${ino} ${size}`;
    }),
    registry.requests.filter(({ method }) => !/GET|HEAD/.test(method)).length,
    [...service.entries.keys()],
  ];
  const before = look();
  const named: (string | undefined)[] = [];
  for (const store of stores)
    for (const files of [source, { ...source, main: "m2" }]) {
      const { explained } = await tools.build(app, files, { stores: [store], explainOnly: true }, { push: false });
      named.push(...(explained ?? []).flatMap(({ steps }) => steps.flatMap((step) => step.store ?? [])));
    }
  assert.deepEqual(look(), before);
  const names = [
    `directory ${directory}`,
    `image layout ${join(directory, "..", "layout")}`,
    `repository ${registry.host}/cache`,
    "GitHub's cache",
  ];
  assert.deepEqual([...new Set(named)], names);
});
