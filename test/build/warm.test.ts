// A build from the cache is the build that filled it, whatever is asked for, and takes no more than it needs.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Request } from "../../src/build/build.ts";
import { parseReference } from "../../src/image/reference.ts";
import { temporaryDirectory } from "../support/build.ts";
import { openCachedBuilds } from "./cached-builds.ts";

const app = `FROM BASE AS build
WORKDIR /src
COPY . .
RUN cat main > /out; ln -s out /link; ln /out /hard; mkfifo /pipe; touch -d @2000000000 /later
FROM BASE
COPY --from=build /out /app/
COPY --link main /linked/
RUN mkdir /made && cp /app/out /made/
LABEL last=1`;
const source = { main: "m1", "dir/other": "o1" };
/** Some time between the sources' and now. */
const epoch = new Map([["SOURCE_DATE_EPOCH", "1500000000"]]);

const clamped: Readonly<Record<string, Partial<Request>>> = {
  "SOURCE_DATE_EPOCH and --rewrite-timestamp": { buildArgs: epoch, rewriteTimestamp: true },
  "--reproducible": { reproducible: true },
};

for (const [what, more] of Object.entries(clamped))
  test(`with ${what} builds from the cache and without it come to one digest`, async (t) => {
    const tools = await openCachedBuilds(t);
    if (tools === undefined) return;
    const filled = await tools.build(app, source, {}, more);
    const warm = await tools.build(app, source, {}, more);
    assert.deepEqual(warm.outcomes, { "stage-1": ["cached", "cached", "cached"] });
    // So that the clock shows another second.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const cold = await tools.build(app, source, {}, { ...more, cache: undefined });
    const other = await tools.build(app, source, { stores: [] }, { ...more, uncached: { all: true, stages: [] } });
    assert.equal(warm.digest, filled.digest);
    assert.equal(cold.digest, filled.digest);
    assert.equal(other.digest, filled.digest);
    const edited = { ...source, "dir/other": "o2" };
    const partly = await tools.build(app, edited, {}, more);
    assert.deepEqual(partly.outcomes.build, ["cached", "done", "done"]);
    assert.equal((await tools.build(app, edited, {}, { ...more, cache: undefined })).digest, partly.digest);
  });

/** The digests of everything in a directory. */
function bytesOf(path: string): ReadonlyMap<string, string> {
  const names = readdirSync(path, { recursive: true, encoding: "utf8", withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(files.map((file) => [file.slice(path.length), createHash("sha256").update(readFileSync(file)).digest("hex")]));
}

const outputs: readonly (keyof Request["outputs"])[] = ["tarPath", "ociLayoutPath", "ociTarPath", "rootTarPath", "rootPath"];

for (const output of outputs)
  test(`a build from the cache writes ${output} as the build before did`, async (t) => {
    const tools = await openCachedBuilds(t);
    if (tools === undefined) return;
    const stores = [{ kind: "repository", reference: parseReference(`${tools.registry.host}/cache`) }] as const;
    const dockerfile = app.replace("; mkfifo /pipe", "");
    const build = async (more: Partial<Request>) => {
      const directory = await temporaryDirectory(t);
      const built = await tools.build(
        dockerfile,
        source,
        { stores },
        { push: false, destinations: [parseReference("r.test/app:1")], outputs: { [output]: join(directory, "out") }, ...more },
      );
      return { ...built, bytes: bytesOf(directory) };
    };
    const first = await build({});
    const second = await build({});
    assert.deepEqual(second.outcomes, { "stage-1": ["cached", "cached", "cached"] });
    assert.equal(second.digest, first.digest);
    assert.ok(second.bytes.size > 0);
    assert.deepEqual(second.bytes, first.bytes);
    // Where the merged files are asked for, their indexes besides.
    assert.equal(second.downloaded, output.startsWith("root") ? 8 : 4, "each layer once");
    assert.deepEqual(second.warnings, []);
  });

const places: Readonly<Record<string, { readonly cache: string; readonly app: string; readonly mounts: number }>> = {
  "the repository of the image": { cache: "app", app: "app", mounts: 0 },
  "another repository": { cache: "app/cache", app: "new", mounts: 4 },
};

for (const [what, { cache, app: repository, mounts }] of Object.entries(places))
  test(`an image all of whose layers are in ${what} is pushed without their bytes`, async (t) => {
    const tools = await openCachedBuilds(t);
    if (tools === undefined) return;
    const { registry } = tools;
    const stores = [{ kind: "repository", reference: { registry: registry.host, repository: cache } }] as const;
    const first = await tools.build(app, source, { stores });
    const begin = registry.requests.length;
    const second = await tools.build(app, source, { stores }, { destinations: [parseReference(`${registry.host}/${repository}:new`)] });
    assert.equal(second.digest, first.digest);
    const asked = registry.requests.slice(begin);
    const uploads = asked.filter(({ method, path }) => /PUT|PATCH/.test(method) && path.includes("/blobs/uploads/"));
    const sent = uploads.map(({ path }) => new URL(path, "http://r.test").searchParams.get("digest"));
    assert.deepEqual(sent, mounts === 0 ? [] : [second.imageId], "of blobs no more than the configuration");
    assert.equal(asked.filter(({ path }) => path.includes("mount=")).length, mounts);
    assert.equal(second.downloaded, 0);
  });

/** What happens in the context's directory while the RUN before the COPY goes on. */
const changes: Readonly<Record<string, (directory: string) => void>> = {
  "is written to": (directory) => writeFileSync(join(directory, "main"), "longer than before"),
  "is another of the same size and time": (directory) => {
    writeFileSync(join(directory, "main"), "m2");
    utimesSync(join(directory, "main"), 1e9, 1e9);
  },
  "is emptied": (directory) => writeFileSync(join(directory, "main"), ""),
  "is replaced": (directory) => {
    writeFileSync(join(directory, "new"), "m2");
    renameSync(join(directory, "new"), join(directory, "main"));
  },
  "is removed": (directory) => rmSync(join(directory, "main")),
  "becomes a link": (directory) => void execFileSync("ln", ["-sf", "other", "main"], { cwd: directory }),
};

async function openContext(t: TestContext): Promise<string> {
  const directory = await temporaryDirectory(t);
  for (const [name, text] of Object.entries({ main: "m1", other: "o1" })) writeFileSync(join(directory, name), text);
  utimesSync(join(directory, "main"), 1e9, 1e9);
  return directory;
}

for (const compression of ["gzip", "zstd"] as const)
  for (const [what, change] of Object.entries(changes))
    test(`a file that ${what} after its key was computed fails the step, and nothing is kept of it; ${compression}`, async (t) => {
      const tools = await openCachedBuilds(t);
      if (tools === undefined) return;
      const { events } = tools;
      const context = await openContext(t);
      const dockerfile = `FROM ${tools.registry.host}/base:1\nRUN echo ready; sleep 1\nCOPY main /`;
      writeFileSync(join(context, "Dockerfile"), dockerfile);
      const build = () => tools.build(dockerfile, {}, {}, { context, workingDirectory: context, compression });
      const waiting = setInterval(() => {
        if (!events.some((event) => event.kind === "step-output")) return;
        clearInterval(waiting);
        change(context);
      }, 5);
      t.after(() => clearInterval(waiting));
      await assert.rejects(build(), (error: Error & { place?: { line: number } }) => {
        assert.match(error.message, /main".*: the context changed while building/);
        assert.equal(error.place?.line, 3);
        return true;
      });
      assert.equal(tools.registry.count("PUT", /\/v2\/app\/manifests\//), 0);
      // Neither under the key of the file as it was, nor as it is.
      const now = what === "is removed" ? undefined : await build();
      if (now !== undefined) assert.deepEqual(now.outcomes, { "stage-0": ["cached", "done"] });
      rmSync(join(context, "main"), { force: true });
      writeFileSync(join(context, "main"), "m1");
      assert.deepEqual((await build()).outcomes, { "stage-0": ["cached", "done"] });
    });

test("a file that changes before anything has looked at it is taken as it then is", async (t) => {
  const tools = await openCachedBuilds(t);
  if (tools === undefined) return;
  const context = await openContext(t);
  const dockerfile = `FROM ${tools.registry.host}/base:1\nRUN echo ready\nCOPY main /\nCOPY oth* /`;
  writeFileSync(join(context, "Dockerfile"), dockerfile);
  const build = () => tools.build(dockerfile, {}, {}, { context, workingDirectory: context });
  const first = await build();
  writeFileSync(join(context, "main"), "m2");
  const second = await build();
  assert.deepEqual(second.outcomes, { "stage-0": ["cached", "done", "done"] });
  assert.notEqual(second.digest, first.digest);
});
