// Whole builds from contexts that are elsewhere, and with files of named ones.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { BuildFailure } from "../../src/build/build.ts";
import { parseReference } from "../../src/image/reference.ts";
import { openBuilder, temporaryDirectory } from "../support/build.ts";
import { startGitServer } from "../support/git-server.ts";
import { layerLines, pushed } from "../support/pushed.ts";
import { startRegistry } from "../support/registry.ts";
import { serve } from "../support/web.ts";

async function openBuild(t: TestContext) {
  const registry = await startRegistry(t);
  const builder = await openBuilder(t);
  const stateDir = await temporaryDirectory(t);
  const destinations = [parseReference(`${registry.host}/app:1`)];
  return {
    builder,
    request: { destinations, stateDir, stateIsPrivate: false },
    /** The lines of the image's layers. */
    async layers(): Promise<string[][]> {
      const image = pushed(registry, "app", "1") ?? assert.fail("nothing was pushed");
      return Promise.all(image.manifest.layers.map(({ digest }: { digest: string }) => layerLines(image.store, digest)));
    },
    checkNothingLeft() {
      const work = join(stateDir, "work");
      assert.deepEqual(existsSync(work) ? readdirSync(work) : [], []);
    },
  };
}

async function pack(t: TestContext, files: Readonly<Record<string, string>>): Promise<Buffer> {
  const directory = await temporaryDirectory(t);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text, { mode: 0o644 });
  return execFileSync("tar", ["-cz", "-C", directory, "--owner=5", "--group=6", "."]);
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

test("named contexts are repositories and archives too, fetched once and only where a stage needs them", async (t) => {
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
  const copies = [
    "COPY --from=repo . /bin/",
    "COPY --from=packed / /packed/",
    "COPY --from=packed inside /",
    "COPY --from=file /context /text",
  ];
  await builder.build({ Dockerfile: [...lines, ...copies].join("\n") }, { ...request, buildContexts });
  assert.deepEqual(await layers(), [
    ["d 755 0:0 bin", "f 755 0:0 bin/tool #!"],
    ["d 755 0:0 packed", "f 644 5:6 packed/.dockerignore *", "f 644 5:6 packed/inside I"],
    ["f 644 5:6 inside I"],
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
