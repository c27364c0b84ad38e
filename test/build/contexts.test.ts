// Whole builds from contexts that are elsewhere, and with files of named ones.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { BuildFailure } from "../../src/build/build.ts";
import { parseReference } from "../../src/image/reference.ts";
import { needsRoot } from "../sandbox/root.ts";
import { openBase } from "../sandbox/stage.ts";
import { openBuilder, putLayers, temporaryDirectory } from "../support/build.ts";
import { startGitServer } from "../support/git-server.ts";
import { layerLines, pushed } from "../support/pushed.ts";
import { startRegistry } from "../support/registry.ts";
import { serve } from "../support/web.ts";
import { usualCache } from "./cached-builds.ts";

async function openBuild(t: TestContext) {
  const registry = await startRegistry(t);
  const builder = await openBuilder(t);
  const stateDir = await temporaryDirectory(t);
  const destinations = [parseReference(`${registry.host}/app:1`)];
  return {
    builder,
    registry,
    request: { destinations, stateDir, stateIsPrivate: false },
    /** The lines of the image's layers. */
    async layers(): Promise<string[][]> {
      const image = pushed(registry, "app", "1") ?? assert.fail("nothing was pushed");
      return Promise.all(image.manifest.layers.map(({ digest }: { digest: string }) => layerLines(image.store, digest)));
    },
    image: () => pushed(registry, "app", "1") ?? assert.fail("nothing was pushed"),
    checkNothingLeft() {
      const work = join(stateDir, "work");
      assert.deepEqual(existsSync(work) ? readdirSync(work) : [], []);
    },
  };
}

async function pack(t: TestContext, files: Readonly<Record<string, string>>, owner = 5): Promise<Buffer> {
  const directory = await temporaryDirectory(t);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text, { mode: 0o644 });
  return execFileSync("tar", ["-cz", "-C", directory, `--owner=${owner}`, "--group=6", "."]);
}

test("an archive from standard input is built, and gone when the image is there", async (t) => {
  const { builder, request, layers, checkNothingLeft } = await openBuild(t);
  const archive = await pack(t, {
    Dockerfile: "FROM scratch\nCOPY . /\nCOPY a /b/\n",
    a: "A",
    b: "B",
    ".dockerignore": "b\nDocker*\n.d*\n",
  });
  await builder.build({}, { ...request, context: "tar://stdin" }, undefined, () => Readable.from([archive]));
  assert.deepEqual(await layers(), [["f 644 5:6 a A"], ["d 755 0:0 b", "f 644 5:6 b/a A"]]);
  checkNothingLeft();
});

test("a mistake in a Dockerfile from elsewhere is shown with its line", async (t) => {
  const { builder, request, checkNothingLeft } = await openBuild(t);
  const archive = await pack(t, { Dockerfile: "FROM scratch\nCOPY none /\n" });
  const address = await serve(t, (_, response) => response.end(archive));
  const building = builder.build({}, { ...request, context: `${address.replace("://", "://me:s3cret@")}/context.tgz` });
  await assert.rejects(building, (error) => {
    assert.ok(error instanceof BuildFailure);
    assert.match(error.message, /"\/none": not found/);
    assert.deepEqual([error.place?.file, error.place?.line], ["Dockerfile", 2]);
    assert.match(error.hint ?? "", new RegExp(`lies in the context ${address}/context.tgz$`));
    return true;
  });
  checkNothingLeft();
});

test("named contexts are repositories and single files too, archives among them, fetched once and only where a stage needs them", async (t) => {
  const { builder, request, layers, checkNothingLeft } = await openBuild(t);
  const server = await startGitServer(t);
  const archive = await pack(t, { ".dockerignore": "*", inside: "I" });
  const asked: string[] = [];
  const address = await serve(t, (request, response) => {
    asked.push(request.url ?? "");
    response.end(request.url === "/a.tgz" ? archive : "plain");
  });
  const buildContexts = new Map([
    ["repo", `${server.url("smart")}#v1:bin`],
    ["packed", `${address}/a.tgz`],
    ["file", `${address}/file`],
    ["unused", `${address}/unused`],
  ]);
  const lines = ["FROM scratch AS unneeded", "COPY --from=unused / /", "FROM scratch"];
  const copies = ["COPY --from=repo . /bin/", "COPY --from=packed / /packed/", "COPY --from=file /context /text"];
  await builder.build({ Dockerfile: [...lines, ...copies].join("\n") }, { ...request, buildContexts });
  assert.deepEqual(await layers(), [
    ["d 755 0:0 bin", "f 755 0:0 bin/tool #!"],
    ["d 755 0:0 packed", `f 600 0:0 packed/context ${archive.toString("utf8")}`],
    ["f 600 0:0 text plain"],
  ]);
  assert.deepEqual(asked.sort(), ["/a.tgz", "/file"]);
  checkNothingLeft();
});

test("a named context that cannot be had stops the build where it is first used", async (t) => {
  const { builder, request, checkNothingLeft } = await openBuild(t);
  const server = await startGitServer(t);
  const buildContexts = new Map([["repo", `${server.url("smart").replace("://", "://u:s3cret@")}#nope`]]);
  const building = builder.build({ Dockerfile: "FROM scratch\nENV A=1\nCOPY --from=repo / /\n" }, { ...request, buildContexts });
  await assert.rejects(building, (error) => {
    assert.ok(error instanceof BuildFailure);
    assert.match(error.message, /^Cannot use git repository "http:\/\/127[^@]*": it does not contain ref nope/);
    assert.equal(error.place?.line, 3);
    return true;
  });
  checkNothingLeft();
});

test("FROM files begins with all of them, owned by root, under the directory's ignore file", async (t) => {
  const { builder, request, layers, image, checkNothingLeft } = await openBuild(t);
  const server = await startGitServer(t);
  const directory = await temporaryDirectory(t);
  writeFileSync(join(directory, "a"), "A", { mode: 0o600 });
  writeFileSync(join(directory, "b"), "B");
  writeFileSync(join(directory, ".dockerignore"), "b\n.d*\n");
  const buildContexts = new Map([
    ["files", directory],
    ["base", `${server.url("smart")}#v1:bin`],
  ]);
  const dockerfile = "FROM nowhere.example/x AS base\nRUN false\nFROM files\nCOPY --from=base . /\nLABEL a=b\n";
  await builder.build({ Dockerfile: dockerfile }, { ...request, buildContexts });
  assert.deepEqual(await layers(), [["f 600 0:0 a A"], ["f 755 0:0 tool #!"]]);
  const { config } = image();
  assert.deepEqual(
    config.history?.map(({ created_by }) => created_by),
    ["[context files] load from client", "COPY . / # buildkit", "LABEL a=b"],
  );
  assert.equal(config.config?.WorkingDir, "/");
  await builder.build({ Dockerfile: dockerfile }, { ...request, buildContexts, targets: ["base"] });
  assert.deepEqual(await layers(), [["f 755 0:0 tool #!"]]);
  checkNothingLeft();
});

test("an OCI layout is a base as a registry's image is, its layers verified", async (t) => {
  const { builder, request, layers, image } = await openBuild(t);
  const layout = join(await temporaryDirectory(t), "layout");
  const first = { Dockerfile: "FROM scratch\nCOPY a /\nENV A=1\nONBUILD COPY trigger /\n", a: "A" };
  const destinations = [parseReference("nowhere.example/first:v1")];
  await builder.build(first, { ...request, destinations, push: false, outputs: { ociLayoutPath: layout } });
  const buildContexts = new Map([["alpine", `oci-layout://${layout}:v1`]]);
  const second = { Dockerfile: "FROM docker.io/library/alpine:latest\nCOPY --from=alpine /a /$A\n", trigger: "T" };
  await builder.build(second, { ...request, buildContexts });
  assert.deepEqual(await layers(), [["f 644 0:0 a A"], ["f 644 0:0 trigger T"], ["f 644 0:0 1 A"]]);
  assert.equal(image().config.history?.length, 4);
  const blob = join(layout, "blobs/sha256", image().manifest.layers[0].digest.slice("sha256:".length));
  const bytes = readFileSync(blob);
  bytes[12] = (bytes[12] ?? 0) ^ 1;
  writeFileSync(blob, bytes);
  const fresh = { ...request, stateDir: await temporaryDirectory(t), buildContexts };
  await assert.rejects(builder.build(second, fresh), /Cannot read blob|digest/);
});

test("a layout that cannot be used stops the build where it is first named", async (t) => {
  const { builder, request } = await openBuild(t);
  const buildContexts = new Map([["base", "oci-layout:///nowhere/at/all"]]);
  await assert.rejects(builder.build({ Dockerfile: "ARG A\nFROM base\n" }, { ...request, buildContexts }), (error) => {
    assert.ok(error instanceof BuildFailure);
    assert.match(error.message, /^Cannot use "oci-layout:\/\/\/nowhere\/at\/all": \/nowhere\/at\/all\/index\.json is not there$/);
    assert.equal(error.place?.line, 2);
    return true;
  });
});

test("the cache knows files by what they are, wherever they come from", async (t) => {
  const { builder, request } = await openBuild(t);
  const server = await startGitServer(t);
  const path = join(await temporaryDirectory(t), "store");
  const cache = { ...usualCache, stores: [{ kind: "directory", path, maxBytes: undefined }] } as const;
  const dockerfile = "FROM files\nCOPY a /b/\nCOPY --from=repo tool /\n";
  const build = async (owner: number, ref: string): Promise<string[]> => {
    const archive = await pack(t, { Dockerfile: dockerfile, a: "A" }, owner);
    const address = await serve(t, ({ url }, response) => response.end(url === "/files" ? "plain" : archive));
    const buildContexts = new Map([
      ["files", `${address}/files`],
      ["repo", `${server.url("smart")}#${ref}:bin`],
    ]);
    builder.events.length = 0;
    await builder.build({}, { ...request, cache, buildContexts, context: `${address}/x`, workingDirectory: "/nonexistent" });
    return builder.events.flatMap((event) => (event.kind === "step-end" ? [event.outcome] : []));
  };
  assert.deepEqual(await build(5, "v1"), ["done", "done", "done"]);
  assert.deepEqual(await build(5, "main"), ["cached", "cached", "cached"]);
  assert.deepEqual(await build(7, "main"), ["cached", "done", "done"]);
  const notices = builder.events.flatMap((event) => (event.kind === "notice" ? [event.text] : []));
  assert.ok(
    notices.some((text) => text.endsWith("COPY a /b/: not in the cache: a changed")),
    notices.join("\n"),
  );
});

test("a RUN mounts them, with the owners that they have", async (t) => {
  const base = needsRoot(t) ? openBase(t) : undefined;
  if (base === undefined) return;
  const { builder, request, registry } = await openBuild(t);
  await putLayers(registry, "base:1", [base], { Env: ["PATH=/bin:/usr/bin:/sbin"] });
  const server = await startGitServer(t);
  const address = await serve(t, (_, response) => response.end("plain"));
  const checks = [
    "RUN --mount=target=/m test $(stat -c %u:%g /m/a) = 5:6 && test ! -e /m/b",
    "RUN --mount=from=repo,target=/m test -x /m/tool && test $(stat -c %u:%g /m/tool) = 0:0",
    "RUN --mount=from=file,source=context,target=/f test $(cat /f) = plain",
  ];
  const dockerfile = `FROM ${registry.host}/base:1\n${checks.join("\n")}\n`;
  const archive = await pack(t, { Dockerfile: dockerfile, a: "A", b: "B", "Dockerfile.dockerignore": "b\n" });
  const buildContexts = new Map([
    ["repo", `${server.url("smart")}#v1:bin`],
    ["file", `${address}/file`],
  ]);
  await builder.build({}, { ...request, buildContexts, context: "tar://stdin" }, undefined, () => Readable.from([archive]));
});
