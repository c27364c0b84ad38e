// Whole builds that use what earlier ones have left: what is taken, what is built anew, and what the image then is.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type CacheRequest, type CacheStore, prune, type Request } from "../../src/build/build.ts";
import { parseReference } from "../../src/image/reference.ts";
import { defaultRegistryOptions } from "../../src/registry/registry.ts";
import { temporaryDirectory } from "../support/build.ts";
import { startCacheService } from "../support/cache-service.ts";
import { startRegistry } from "../support/registry.ts";
import { type Built, type Files, openCachedBuilds } from "./cached-builds.ts";

const app = `FROM BASE AS build
WORKDIR /src
COPY package /src/
RUN cp package installed
COPY . .
RUN cat main package > /out
FROM BASE
LABEL version=1
COPY --from=build /out /app/
RUN test -f /app/out && echo done > /state
CMD ["/app/out"]`;
const source = { package: "p1", main: "m1", ".dockerignore": "Dockerfile\n.dockerignore\nignored" };

type Turn = {
  readonly dockerfile?: string;
  readonly files?: Files;
  readonly cache?: Partial<CacheRequest>;
  readonly more?: Partial<Request>;
};

/** What the second build does with each step of a stage: `c` takes it from the cache, `d` does it. */
const rows: readonly (readonly [what: string, first: Turn, second: Turn, outcome: Readonly<Record<string, string>>, isSame?: boolean])[] = [
  ["nothing is different", {}, {}, { "stage-1": "cc" }, true],
  ["a file that a COPY takes is edited", {}, { files: { ...source, package: "p1", main: "m2" } }, { build: "cccdd", "stage-1": "dd" }],
  [
    "a file that an early COPY takes is edited",
    {},
    { files: { ...source, package: "p2", main: "m1" } },
    { build: "cdddd", "stage-1": "dd" },
  ],
  ["an ignored file is added", {}, { files: { ...source, ignored: "x" } }, { "stage-1": "cc" }, true],
  [
    "an edit makes no difference to what is copied from the stage",
    {},
    { files: { ...source, package: "p1", main: "m1", other: "x" } },
    { build: "cccdd", "stage-1": "cc" },
    true,
  ],
  ["a label, CMD and ENV after the last RUN are others", {}, { dockerfile: "APP\nLABEL a=b\nENV X=1" }, { "stage-1": "cc" }],
  [
    "an argument is another that no RUN sees",
    { dockerfile: "FROM BASE\nRUN echo a >/a\nARG X=1\nCOPY main /m" },
    { dockerfile: "FROM BASE\nRUN echo a >/a\nARG X=2\nCOPY main /m" },
    { "stage-0": "cc" },
  ],
  [
    "an argument is another that a RUN sees",
    { dockerfile: "FROM BASE\nRUN echo a >/a\nARG X=1\nRUN true" },
    { dockerfile: "FROM BASE\nRUN echo a >/a\nARG X=2\nRUN true" },
    { "stage-0": "cd" },
  ],
  [
    "a build argument is another",
    { dockerfile: "FROM BASE\nARG X\nCOPY main /$X", more: { buildArgs: new Map([["X", "a"]]) } },
    { dockerfile: "FROM BASE\nARG X\nCOPY main /$X", more: { buildArgs: new Map([["X", "b"]]) } },
    { "stage-0": "d" },
  ],
  [
    "the proxy is another",
    { dockerfile: "FROM BASE\nRUN true", more: { buildArgs: new Map([["HTTP_PROXY", "a"]]) } },
    { dockerfile: "FROM BASE\nRUN true", more: { buildArgs: new Map([["HTTP_PROXY", "b"]]) } },
    { "stage-0": "c" },
    true,
  ],
  [
    "a secret is another",
    { dockerfile: "FROM BASE\nRUN --mount=type=secret,id=s cat /run/secrets/s", more: { secrets: new Map([["s", Buffer.from("aaaa")]]) } },
    { dockerfile: "FROM BASE\nRUN --mount=type=secret,id=s cat /run/secrets/s", more: { secrets: new Map([["s", Buffer.from("bbbb")]]) } },
    { "stage-0": "c" },
    true,
  ],
  [
    "the body of a heredoc is another",
    { dockerfile: "FROM BASE\nCOPY <<E /a\n1\nE\nRUN <<E\necho 1\nE" },
    { dockerfile: "FROM BASE\nCOPY <<E /a\n1\nE\nRUN <<E\necho 2\nE" },
    { "stage-0": "cd" },
  ],
  [
    "the base is another below a linked layer",
    { dockerfile: "FROM BASE\nCOPY --link main /m\nCOPY main /n" },
    { dockerfile: "FROM PLAIN\nCOPY --link main /m\nCOPY main /n" },
    { "stage-0": "cd" },
  ],
  [
    "the epoch is another",
    { dockerfile: "FROM BASE\nCOPY main /m", more: { buildArgs: new Map([["SOURCE_DATE_EPOCH", "5"]]) } },
    { dockerfile: "FROM BASE\nCOPY main /m", more: { buildArgs: new Map([["SOURCE_DATE_EPOCH", "6"]]) } },
    { "stage-0": "d" },
  ],
  ["the layers are too old", {}, { cache: { maxAge: 0 } }, { build: "ddddd", "stage-1": "dd" }],
  [
    "a stage is built without the cache, and comes to the same",
    {},
    { more: { uncached: { all: false, stages: ["build"] } } },
    { build: "ddddd", "stage-1": "cc" },
    true,
  ],
  ["nothing is taken from the cache", {}, { more: { uncached: { all: true, stages: [] } } }, { build: "ddddd", "stage-1": "dd" }],
  ["layers of COPY are not to be cached", {}, { cache: { copyLayers: false } }, { "stage-1": "cc" }, true],
  ["layers of RUN are not to be cached", {}, { cache: { runLayers: false } }, { "stage-1": "cd" }],
  ["the cache was read alone", { cache: { readOnly: true } }, {}, { build: "ddddd", "stage-1": "dd" }],
  ["the cache was filled by a build that is not trusted", { cache: { scope: "fork" } }, {}, { build: "ddddd", "stage-1": "dd" }],
  ["a build that is not trusted finds what a trusted one left", {}, { cache: { scope: "fork" } }, { "stage-1": "cc" }, true],
  ["the cache was filled by one without the secret", {}, { cache: { secret: "s" } }, { build: "ddddd", "stage-1": "dd" }],
  ["the cache was filled by one with the secret", { cache: { secret: "s" } }, { cache: { secret: "s" } }, { "stage-1": "cc" }, true],
  ["another compression is asked for", {}, { more: { compression: "zstd" } }, { "stage-1": "cc" }],
  ["the image has no layer of its own", { dockerfile: "FROM PLAIN\nLABEL a=b" }, { dockerfile: "FROM PLAIN\nLABEL a=b" }, {}, true],
  [
    "a RUN of a weaker sandbox left it",
    { dockerfile: "FROM BASE\nCOPY main /m\nRUN true", more: { sandbox: "chroot-bare" } },
    { dockerfile: "FROM BASE\nCOPY main /m\nRUN true", more: { sandbox: "ns" } },
    { "stage-0": "cd" },
  ],
  [
    "a RUN of a stronger sandbox left it",
    { dockerfile: "FROM BASE\nRUN true", more: { sandbox: "ns" } },
    { dockerfile: "FROM BASE\nRUN true", more: { sandbox: "chroot-bare" } },
    { "stage-0": "c" },
    true,
  ],
];

for (const [what, first, second, outcomes, isSame = false] of rows)
  test(`of a build after which ${what}`, async (t) => {
    const tools = await openCachedBuilds(t);
    if (tools === undefined) return;
    const run = ({ dockerfile = app, files = source, cache, more }: Turn) =>
      tools.build(dockerfile.replace(/^APP/, app), files, cache, more);
    const filled = await run(first);
    const built = await run(second);
    const letters = Object.fromEntries(Object.entries(built.outcomes).map(([stage, list]) => [stage, list.map((one) => one[0]).join("")]));
    assert.deepEqual(letters, outcomes);
    if (isSame) assert.equal(built.digest, filled.digest);
  });

const stores: Readonly<Record<string, (t: TestContext, host: string) => Promise<CacheStore>>> = {
  "a directory": async (t) => ({ kind: "directory", path: join(await temporaryDirectory(t), "store"), maxBytes: undefined }),
  "an image layout": async (t) => ({ kind: "layout", path: join(await temporaryDirectory(t), "store") }),
  "a repository": async (_, host) => ({ kind: "repository", reference: { registry: host, repository: "app/cache" } }),
  "a repository in another registry": async (t) => {
    const { host } = await startRegistry(t);
    return { kind: "repository", reference: { registry: host, repository: "app/cache" } };
  },
  "the cache service of GitHub": async (t) => ({ kind: "ci", access: (await startCacheService(t)).access(), maxBytes: 1e9 }),
  "the old cache service of GitHub": async (t) => ({ kind: "ci", access: (await startCacheService(t, 1)).access(), maxBytes: 1e9 }),
};

for (const [what, openStore] of Object.entries(stores))
  test(`through ${what} an unchanged build is the build before, and after an edit the rest is`, async (t) => {
    const tools = await openCachedBuilds(t);
    if (tools === undefined) return;
    const cache = { stores: [await openStore(t, tools.registry.host)] };
    const first = await tools.build(app, source, cache);
    assert.deepEqual(first.warnings, []);
    const second = await tools.build(app, source, cache);
    assert.deepEqual(second.warnings, []);
    assert.deepEqual(second.outcomes, { "stage-1": ["cached", "cached"] });
    assert.equal(second.digest, first.digest);
    const edited = await tools.build(app, { ...source, main: "m2" }, cache);
    assert.deepEqual(edited.warnings, []);
    assert.deepEqual(edited.outcomes.build, ["cached", "cached", "cached", "done", "done"]);
  });

test("a plan asks the cache for what it knows of the base, and nothing else", async (t) => {
  const tools = await openCachedBuilds(t);
  if (tools === undefined) return;
  const stores = [{ kind: "repository", reference: { registry: tools.registry.host, repository: "app/cache" } }] as const;
  await tools.build(app, source, { stores });
  const begin = tools.registry.requests.length;
  await tools.build(app, source, { stores }, { dryRun: true });
  assert.equal(tools.registry.requests.slice(begin).filter(({ path }) => path.includes("cache")).length, 1);
});

const reasons: readonly (readonly [what: string, first: Turn, second: Turn, says: RegExp])[] = [
  ["a file", {}, { files: { ...source, main: "m2" } }, /\[build 5\/6\] COPY \. \.: not in the cache: main changed$/],
  [
    "files that came and went",
    {},
    { files: { ...source, main: "m2", "a/b": "", "a/c": "" } },
    /: main changed, a is new, a\/b is new, and 1 more$/,
  ],
  [
    "an argument",
    { dockerfile: "FROM BASE\nARG V=22\nRUN true" },
    { dockerfile: "FROM BASE\nARG V=24\nRUN true" },
    /RUN true: not in the cache: V 22 → 24$/,
  ],
  [
    "a command",
    { dockerfile: "FROM BASE\nRUN true" },
    { dockerfile: "FROM BASE\nRUN :" },
    /: the command \/bin\/sh -c true → \/bin\/sh -c :$/,
  ],
  [
    "the base",
    { dockerfile: "FROM BASE\nCOPY main /" },
    { dockerfile: "FROM PLAIN\nCOPY main /" },
    /: the base was .*base:1@sha256:[0-9a-f]{12}, and is .*plain:1@sha256/,
  ],
  [
    "age",
    { dockerfile: "FROM BASE\nRUN true" },
    { dockerfile: "FROM BASE\nRUN true", cache: { maxAge: 0 } },
    /nothing of it is another, but the cache does not have it/,
  ],
  [
    "a step",
    { dockerfile: "FROM BASE\nRUN true" },
    { dockerfile: "FROM BASE\nRUN true\nRUN :" },
    /\[stage-0 3\/3\] RUN :: not in the cache: it is new$/,
  ],
  ["nothing, for it is the first", { cache: { readOnly: true } }, {}, /no earlier build of it is known$/],
];

for (const [what, first, second, says] of reasons)
  test(`a build says that ${what} made the difference`, async (t) => {
    const tools = await openCachedBuilds(t);
    if (tools === undefined) return;
    const run = ({ dockerfile = app, files = source, cache }: Turn) => tools.build(dockerfile, files, cache);
    await run(first);
    const { notices } = await run(second);
    assert.ok(
      notices.some((text) => says.test(text)),
      notices.join("\n"),
    );
  });

test("what cache mounts hold comes with the cache, but not into a stage that is built without it", async (t) => {
  const tools = await openCachedBuilds(t);
  if (tools === undefined) return;
  const count = (turn: string) => `FROM BASE
RUN --mount=type=cache,target=/c,uid=7,mode=0750 echo ${turn} >>/c/log; ln -f /c/log /c/same; test "$(stat -c '%u %a' /c)" = '7 750'; cat /c/same >/n; wc -l </c/same`;
  const linesOf = (notices: Built) => notices.output.trim();
  assert.equal(linesOf(await tools.build(count("1"))), "1");
  const second = await tools.build(count("2"));
  assert.equal(linesOf(second), "2");
  assert.deepEqual(second.warnings, []);
  assert.equal(linesOf(await tools.build(count("3"), {}, { mounts: false })), "1");
  assert.equal(linesOf(await tools.build(count("4"), {}, {}, { sandbox: "chroot-bare" })), "3");
  assert.equal(linesOf(await tools.build(count("5"), {}, {}, { uncached: { all: true, stages: [] } })), "1");
  const big = await tools.build(count("6"), {}, { mountsLimit: 1 });
  assert.ok(big.notices.some((text) => /The cache "\/c" is not kept/.test(text)));
});

test("an unchanged build reads no layer", async (t) => {
  const tools = await openCachedBuilds(t);
  if (tools === undefined) return;
  const first = await tools.build(app, source);
  const second = await tools.build(app, source);
  assert.equal(second.digest, first.digest);
  assert.equal(second.downloaded, 0);
  assert.deepEqual(second.warnings, []);
});

test("an edit that only COPYs see reads no layer of a base that some build has unpacked", async (t) => {
  const tools = await openCachedBuilds(t);
  if (tools === undefined) return;
  const dockerfile = "FROM BASE\nRUN echo a >/a\nCOPY main /m\nCOPY --chown=root main /a";
  await tools.build(dockerfile, source);
  const second = await tools.build(dockerfile, { ...source, main: "m2" });
  assert.deepEqual(second.outcomes, { "stage-0": ["cached", "done", "done"] });
  assert.equal(second.downloaded, 0);
});

test("a build without RUN reads no layer of a base that some build has read", async (t) => {
  const tools = await openCachedBuilds(t);
  if (tools === undefined) return;
  const first = await tools.build("FROM PLAIN\nCOPY --chown=app main /m", source);
  assert.equal(first.downloaded, 3);
  const second = await tools.build("FROM PLAIN\nCOPY --chown=app main /etc/", source);
  assert.deepEqual(second.outcomes, { "stage-0": ["done"] });
  assert.equal(second.downloaded, 0);
});

const aged: Readonly<Record<string, CacheStore["kind"] & ("directory" | "layout")>> = {
  "a directory": "directory",
  "an image layout": "layout",
};

for (const [what, kind] of Object.entries(aged))
  test(`what unchanged builds use every day stays in ${what} when the rest is pruned`, async (t) => {
    const tools = await openCachedBuilds(t);
    if (tools === undefined) return;
    const path = join(await temporaryDirectory(t), "store");
    const stores = [{ kind, path, maxBytes: undefined }];
    const first = await tools.build(app, source, { stores });
    for (const name of readdirSync(path, { recursive: true, encoding: "utf8" })) utimesSync(join(path, name), 1e9, 1e9);
    assert.deepEqual((await tools.build(app, source, { stores })).outcomes, { "stage-1": ["cached", "cached"] });
    const report = { emit() {}, mask() {} };
    const request = {
      stores,
      stateDir: undefined,
      scope: "",
      limits: { unusedFor: 3600, dryRun: false },
      registry: defaultRegistryOptions,
    };
    const [pruned] = await prune(request, { report, signal: new AbortController().signal });
    assert.ok(pruned && "removedRecords" in pruned.outcome && pruned.outcome.removedRecords > 0);
    const second = await tools.build(app, source, { stores });
    assert.deepEqual(second.outcomes, { "stage-1": ["cached", "cached"] });
    assert.equal(second.digest, first.digest);
    // The records of its steps, by which builds of other names find them.
    const destinations = [parseReference(`${tools.registry.host}/other:1`)];
    const other = await tools.build(app, source, { stores }, { destinations });
    assert.deepEqual(other.outcomes, { "stage-1": ["cached", "cached"] });
    // Their bytes, and those of the stage that was not built.
    const edited = await tools.build(app, { ...source, main: "m2" }, { stores });
    assert.deepEqual(edited.outcomes, { build: ["cached", "cached", "cached", "done", "done"], "stage-1": ["done", "done"] });
    assert.deepEqual([...second.warnings, ...edited.warnings], []);
  });

/** Every file of at least so many bytes in the blobs of a store. */
function damage(store: string, leastBytes: number, change: (path: string) => void): void {
  for (const name of readdirSync(store, { recursive: true, encoding: "utf8" })) {
    const path = join(store, name);
    if (/blobs\/.*[0-9a-f]{64}$/.test(name) && statSync(path).size >= leastBytes) change(path);
  }
}

const damages: Readonly<Record<string, { readonly change: (path: string) => void; readonly says: RegExp }>> = {
  "cut short": { change: (path) => truncateSync(path, 10), says: /gone or cut short/ },
  gone: { change: (path) => rmSync(path), says: /gone or cut short/ },
  "other bytes": {
    change(path) {
      const bytes = readFileSync(path);
      bytes[bytes.length - 9] = 255 - (bytes[bytes.length - 9] ?? 0);
      writeFileSync(path, bytes);
    },
    says: /Cannot use (?:the index of layer|layer) /,
  },
};

for (const [what, { change, says }] of Object.entries(damages))
  for (const reproducible of [false, true])
    test(`what a store has ${what} of is built again, with a warning${reproducible ? ", though it comes to the same" : ""}`, async (t) => {
      const tools = await openCachedBuilds(t);
      if (tools === undefined) return;
      const more = { reproducible };
      await tools.build(app, source, {}, more);
      damage(tools.directory, 0, change);
      const built = await tools.build(app, { ...source, main: "m2" }, {}, more);
      assert.ok(built.outcomes.build?.includes("done"));
      assert.ok(
        built.warnings.some((text) => says.test(text)),
        built.warnings.join("\n"),
      );
      const again = await tools.build(app, { ...source, main: "m2" }, {}, more);
      assert.deepEqual(again.outcomes, { "stage-1": ["cached", "cached"] });
      assert.equal(again.digest, built.digest);
    });
