// What SOURCE_DATE_EPOCH stands for when it is a name, and that the time of it becomes the image's.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BuildFailure, type Request } from "../../src/build/build.ts";
import { type EpochSource, findEpochSource } from "../../src/build/epoch.ts";
import { DockerfileError, parseDockerfile } from "../../src/dockerfile/dockerfile.ts";
import { hostPlatform } from "../../src/image/platform.ts";
import { parseReference } from "../../src/image/reference.ts";
import { fileItem, openBuilder } from "../support/build.ts";
import { startGitServer } from "../support/git-server.ts";
import { assertMarked, readMarks } from "../support/marked.ts";
import { layerTimes, pushed, tarOf } from "../support/pushed.ts";
import { startRegistry } from "../support/registry.ts";
import { serve } from "../support/web.ts";

const digest = `sha256:${"a".repeat(64)}`;
const contexts = { files: "/x", "docker.io/library/alpine:latest": "https://h/a.git", image: "docker-image://a" };

function find(dockerfile: string, buildArgs: Readonly<Record<string, string>> = {}): EpochSource | undefined {
  return findEpochSource(parseDockerfile(dockerfile, "Dockerfile"), {
    target: undefined,
    buildArgs: new Map(Object.entries(buildArgs)),
    buildContexts: new Map(Object.entries(contexts)),
    platform: hostPlatform(),
  });
}

const stage = "ARG SOURCE_DATE_EPOCH=src\nARG HOST=h\n";

describe("SOURCE_DATE_EPOCH stands for", () => {
  const git = { remote: "https://h/a.git", submodules: true, keepGitDir: false, mtime: "checkout", fetchByCommit: false } as const;
  const rows: readonly (readonly [dockerfile: string, expected: EpochSource | undefined, buildArgs?: Record<string, string>])[] = [
    ["FROM scratch", undefined],
    ["ARG SOURCE_DATE_EPOCH=5\nFROM scratch", undefined],
    ["ARG SOURCE_DATE_EPOCH=context\nFROM scratch", undefined, { SOURCE_DATE_EPOCH: "" }],
    ["FROM scratch", { kind: "context" }, { SOURCE_DATE_EPOCH: "context" }],
    ["ARG X=text\nARG SOURCE_DATE_EPOCH=con$X\nFROM scratch", { kind: "context" }],
    ["ARG SOURCE_DATE_EPOCH=files\nFROM scratch AS files", { kind: "named", name: "files" }],
    ["ARG SOURCE_DATE_EPOCH=alpine\nFROM scratch", { kind: "named", name: "docker.io/library/alpine:latest" }],
    ["ARG SOURCE_DATE_EPOCH=image\nFROM scratch", { kind: "image" }],
    [
      `${stage}FROM scratch AS src\nARG N=x\nADD --checksum=${digest} https://$HOST/$N.tar /\nFROM scratch`,
      { kind: "elsewhere", source: { kind: "web", url: "https://h/y.tar", checksum: `sha256:${"a".repeat(64)}` } },
      { N: "y" },
    ],
    [
      `${stage}FROM scratch AS SRC\nADD https://h/a.git#v1 /`,
      { kind: "elsewhere", source: { kind: "git", source: { ...git, ref: "v1" } } },
    ],
  ];
  for (const [dockerfile, expected, buildArgs] of rows)
    test(dockerfile.replaceAll("\n", "; "), () => assert.deepEqual(find(dockerfile, buildArgs), expected));
});

describe("SOURCE_DATE_EPOCH is not", () => {
  const rows: readonly (readonly [dockerfile: string, reason: RegExp])[] = [
    ["ARG SOURCE_DATE_EPOCH=«soon»\nFROM scratch", / invalid SOURCE_DATE_EPOCH: soon \(it must be seconds since 1970, context,/],
    [`${stage}FROM «alpine» AS src`, / SOURCE_DATE_EPOCH stage must use FROM scratch$/],
    [`${stage}FROM scratch AS src`, / SOURCE_DATE_EPOCH stage must contain exactly one remote ADD$/],
    [`${stage}FROM scratch AS src\n«COPY» a /`, / .*does not meet source-only requirements: unsupported copy instruction$/],
    [`${stage}FROM scratch AS src\nADD http://h/a «http://h/b» /`, / .*exactly one remote ADD source$/],
    [`${stage}FROM scratch AS src\nADD http://h/a /\nADD http://h/b /`, / .*exactly one remote ADD$/],
    [`${stage}FROM scratch AS src\nADD «a» /`, / .*source must be a single HTTP\(S\) or Git ADD$/],
    [`${stage}FROM scratch AS src\nADD <<EOF /\nEOF`, / .*source must be a single HTTP\(S\) or Git ADD$/],
  ];
  for (const [dockerfile, reason] of rows)
    test(dockerfile.replaceAll("\n", "; "), () => {
      const marked = readMarks(dockerfile);
      assert.throws(
        () => find(marked.text),
        (error) => {
          assert.ok(error instanceof DockerfileError && reason.test(error.message), String(error));
          assertMarked(error, marked);
          return true;
        },
      );
    });
});

const modified = "Tue, 14 Nov 2023 22:13:20 GMT";
const archive = await tarOf([
  fileItem("Dockerfile", "FROM scratch\nARG SOURCE_DATE_EPOCH\nENV E=$SOURCE_DATE_EPOCH\nCOPY f /\n", { mtime: 1_500_000_000 }),
  fileItem("f", "F", { mtime: 1_600_000_000 }),
]);

describe("the time becomes the image's:", () => {
  const local = "FROM scratch\nARG SOURCE_DATE_EPOCH\nENV E=$SOURCE_DATE_EPOCH\nWORKDIR /d\n";
  const rows: readonly (readonly [
    what: string,
    dockerfile: string | undefined,
    request: (web: string, git: string) => Partial<Request>,
    seconds: number,
  ])[] = [
    ["the commit's", local, (_, git) => ({ context: git }), 981_173_106],
    ["the host's", undefined, (web) => ({ context: `${web}/dated.tar` }), 1_700_000_000],
    ["the newest file's", undefined, (web) => ({ context: `${web}/plain.tar` }), 1_600_000_000],
    ["a named context's", local, (web) => named("src", { src: `${web}/dated.tar` }), 1_700_000_000],
    ["a named repository's", local, (_, git) => named("src", { src: git }), 981_173_106],
    ["an unneeded stage's", `FROM scratch AS src\nADD WEB/plain.tar /\n${local}`, () => named("SRC"), 1_600_000_000],
  ];
  function named(name: string, given: Readonly<Record<string, string>> = {}): Partial<Request> {
    return { buildArgs: new Map([["SOURCE_DATE_EPOCH", name]]), buildContexts: new Map(Object.entries(given)) };
  }
  for (const [what, dockerfile, request, seconds] of rows)
    test(what, async (t) => {
      const registry = await startRegistry(t);
      const builder = await openBuilder(t);
      const server = await startGitServer(t);
      const web = await serve(t, ({ url }, response) =>
        response.writeHead(200, url === "/dated.tar" ? { "last-modified": modified } : {}).end(archive),
      );
      const buildArgs = new Map([["SOURCE_DATE_EPOCH", "context"]]);
      const destinations = [parseReference(`${registry.host}/app:1`)];
      const files = dockerfile === undefined ? {} : { Dockerfile: dockerfile.replace("WEB", web) };
      const given = { buildArgs, destinations, rewriteTimestamp: true, ...request(web, `${server.url("smart")}#v1`) };
      await builder.build(files, dockerfile === undefined ? { ...given, workingDirectory: "/nonexistent" } : given);
      const image = pushed(registry, "app", "1") ?? assert.fail("nothing was pushed");
      assert.equal(Date.parse(image.config.created ?? "") / 1000, seconds);
      assert.ok(image.config.config?.Env?.includes(`E=${seconds}`));
      if (dockerfile === undefined) {
        const times = await layerTimes(image.store, image.manifest.layers[0].digest);
        assert.deepEqual(times, { f: Math.min(seconds, 1_600_000_000) });
      }
    });

  test("of a local directory there is none", async (t) => {
    const registry = await startRegistry(t);
    const builder = await openBuilder(t);
    const destinations = [parseReference(`${registry.host}/app:1`)];
    await builder.build({ Dockerfile: local }, { destinations, buildArgs: new Map([["SOURCE_DATE_EPOCH", "context"]]) });
    const { config } = pushed(registry, "app", "1") ?? assert.fail("nothing was pushed");
    assert.ok(Math.abs(Date.parse(config.created ?? "") - Date.now()) < 600_000);
    assert.ok(config.config?.Env?.includes("E="));
  });

  test("what cannot be had stops the build", async (t) => {
    const builder = await openBuilder(t);
    const web = await serve(t, (_, response) => response.writeHead(404).end());
    const dockerfile = `ARG SOURCE_DATE_EPOCH=src\nFROM scratch AS src\nADD ${web}/x /\nFROM scratch\n`;
    await assert.rejects(builder.build({ Dockerfile: dockerfile }), (error) => {
      assert.ok(error instanceof BuildFailure);
      assert.match(error.message, /^Cannot download "http:.*\/x": invalid response status 404$/);
      assert.equal(error.place?.line, 1);
      return true;
    });
  });
});
