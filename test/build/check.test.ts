// The checks within a build and without one: what they know of base images and the context, and what stops a build.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { BuildFailure } from "../../src/build/build.ts";
import { parseReference } from "../../src/image/reference.ts";
import { fileItem, openBuilder, putBase } from "../support/build.ts";
import { startRegistry } from "../support/registry.ts";

const layers = [[fileItem("f", "f")]];

test("a build warns with rule, file and line, and builds", async (t) => {
  const registry = await startRegistry(t);
  await putBase(t, registry, "base:1", layers, { Env: ["PATH=/bin", "HERE=f"] });
  const builder = await openBuilder(t);
  const dockerfile = `FROM ${registry.host}/base:1 as b\nCOPY $HERE$foo /\nCMD x\nFROM scratch\nMAINTAINER y\nFROM b\n`;
  await builder.build({ Dockerfile: dockerfile, f: "f" });
  assert.deepEqual(
    builder.events.filter(({ kind }) => kind === "warning"),
    [
      [1, "FromAsCasing: 'as' and 'FROM' keywords' casing do not match"],
      [2, "UndefinedVar: Usage of undefined variable '$foo'"],
      [3, "JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals"],
      [5, "MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label"],
    ].map(([line, text]) => ({ kind: "warning", text, file: "Dockerfile", line })),
  );
});

test("error=true fails a build before it starts, at the first finding, after all warnings", async (t) => {
  const registry = await startRegistry(t);
  const builder = await openBuilder(t);
  const destinations = [parseReference(`${registry.host}/app:a`)];
  const dockerfile = "# check=error=true\nFROM scratch\nMAINTAINER y\nCMD x\n";
  await assert.rejects(builder.build({ Dockerfile: dockerfile }, { destinations }), (error) => {
    assert.ok(error instanceof BuildFailure);
    assert.equal(error.message, "lint violation found for rules: JSONArgsRecommended, MaintainerDeprecated");
    assert.deepEqual([error.place?.file, error.place?.line], ["Dockerfile", 3]);
    return true;
  });
  assert.equal(builder.events.filter(({ kind }) => kind === "warning").length, 2);
  assert.equal(registry.repositories.size, 0);
  assert.ok(!existsSync(`${builder.directory}/state-1`));
});

test("error=true passes over what BuildKit does not mind", async (t) => {
  const builder = await openBuilder(t);
  await builder.build({ Dockerfile: "# check=error=true\nFROM scratch\nCOPY a b /c\n", a: "a", b: "b" });
  assert.match(JSON.stringify(builder.events), /SeveralSourcesNeedSlash/);
});

test("a check configuration that cannot be read stops a build", async (t) => {
  const builder = await openBuilder(t);
  const failing = builder.build(
    { Dockerfile: "FROM scratch\n# check=quiet\nUSER 1\n" },
    { buildArgs: new Map([["BUILDKIT_DOCKERFILE_CHECK", "quiet"]]) },
  );
  await assert.rejects(failing, /Cannot use the build argument BUILDKIT_DOCKERFILE_CHECK: .*invalid check option "quiet"/);
  await assert.rejects(
    builder.build({ Dockerfile: "# syntax=docker/dockerfile:1\n# check=quiet\nFROM scratch\n" }),
    (error) => error instanceof BuildFailure && /invalid check option "quiet"/.test(error.message) && error.place?.line === 2,
  );
});

test("check looks at all stages, at base images and the ignore file, and builds nothing", async (t) => {
  const registry = await startRegistry(t);
  await putBase(t, registry, "base:1", layers, { Env: ["HERE=f"], Shell: ["/s"], OnBuild: ["LABEL x=$trigger"] });
  const builder = await openBuilder(t);
  const dockerfile = `FROM ${registry.host}/base:1 AS a\nCMD x\nENV A=$HERE B=$THERE\nFROM scratch AS b\nCOPY x/gone /\n`;
  const { checked } = await builder.build({ Dockerfile: dockerfile, ".dockerignore": "x\n" }, { checkOnly: true });
  assert.deepEqual(
    checked?.findings.map(({ rule, range }) => [range.start.line, rule]),
    [
      [1, "UndefinedVar"],
      [3, "UndefinedVar"],
      [5, "CopyIgnoredFile"],
    ],
  );
  assert.equal(checked?.error, undefined);
  assert.ok(!existsSync(`${builder.directory}/state-1`));
  const narrow = await builder.build({ Dockerfile: dockerfile, ".dockerignore": "x\n" }, { checkOnly: true, targets: ["b"] });
  assert.deepEqual(
    narrow.checked?.findings.map(({ rule }) => rule),
    ["CopyIgnoredFile"],
  );
});

test("check does without a base image that is not there, and says so", async (t) => {
  const registry = await startRegistry(t);
  const builder = await openBuilder(t);
  const { checked } = await builder.build(
    { Dockerfile: `FROM ${registry.host}/none:1\nENV A=$HERE B=$there\nCMD x\n` },
    { checkOnly: true },
  );
  assert.deepEqual(
    checked?.findings.map(({ rule, message }) => [rule, message.slice(0, 35)]),
    [
      ["UndefinedVar", "Usage of undefined variable '$there"],
      ["JSONArgsRecommended", "JSON arguments recommended for CMD "],
    ],
  );
  const notices = builder.events.flatMap((event) => (event.kind === "notice" ? [event.text] : []));
  assert.equal(notices.length, 1);
  assert.match(
    notices[0] ?? "",
    /^Base image .*\/none:1 cannot be looked at \(.*\); without it, InvalidBaseImagePlatform and part of UndefinedVar/,
  );
});

test("check tells why a Dockerfile cannot be built, after what it found", async (t) => {
  const builder = await openBuilder(t);
  const rows: [dockerfile: string, rules: string[], line: number, message: RegExp][] = [
    ["FROM scratch\nCPY a b\n", [], 2, /^unknown instruction: CPY \(did you mean COPY\?\)$/],
    ["FROM scratch\nCMD x\nEXPOSE x\n", ["JSONArgsRecommended"], 3, /^invalid containerPort: x/],
    ["# check=error=true\nFROM scratch\nCMD x\n", ["JSONArgsRecommended"], 3, /^lint violation found for rules: JSONArgsRecommended$/],
  ];
  for (const [dockerfile, rules, line, message] of rows) {
    const { checked } = await builder.build({ Dockerfile: dockerfile }, { checkOnly: true });
    assert.deepEqual(
      checked?.findings.map(({ rule }) => rule),
      rules,
    );
    assert.equal(checked?.error?.place.line, line);
    assert.match(checked?.error?.message ?? "", message);
  }
});

test("what several platforms have in common is said once", async (t) => {
  const builder = await openBuilder(t);
  const platforms = ["amd64", "arm64"].map((architecture) => ({ os: "linux", architecture }));
  const { checked } = await builder.build({ Dockerfile: "FROM scratch\nCMD x\n" }, { checkOnly: true, platforms });
  assert.equal(checked?.findings.length, 1);
  await builder.build({ Dockerfile: "FROM scratch\nCMD x\n" }, { platforms });
  assert.equal(builder.events.filter(({ kind }) => kind === "warning").length, 1);
});

test("what is seen while files are copied is said by rule, file and line, and can be silenced", async (t) => {
  const builder = await openBuilder(t);
  const copies = ["COPY nothing* /", "COPY --chown=nobody f /", "COPY --exclude=f f /"];
  await builder.build({ Dockerfile: `FROM scratch\n${copies.join("\n")}\n`, f: "f" });
  const rules = ["WildcardSelectsNothing", "UnknownOwner", "NamedFileNotExcluded"];
  const said = () =>
    builder.events.flatMap((event) => (event.kind === "warning" ? [`${event.file}:${event.line} ${event.text.split(":")[0]}`] : []));
  assert.deepEqual(
    said(),
    rules.map((rule, i) => `Dockerfile:${i + 2} ${rule}`),
  );
  builder.events.length = 0;
  const silent = copies.map((copy, i) => `# check=skip=${rules[i]}\n${copy}`);
  await builder.build({ Dockerfile: `FROM scratch\n${silent.join("\n")}\n`, f: "f" });
  await builder.build({ Dockerfile: `# check=skip=${rules.join(",")};error=true\nFROM scratch\n${copies.join("\n")}\n`, f: "f" });
  assert.deepEqual(said(), []);
});

test("check looks at the image that --build-context puts in place of a base", async (t) => {
  const registry = await startRegistry(t);
  await putBase(t, registry, "other:1", layers, { Env: ["HERE=f"] });
  const builder = await openBuilder(t);
  const buildContexts = new Map([["base", `docker-image://${registry.host}/other:1`]]);
  const { checked } = await builder.build({ Dockerfile: "FROM base\nENV A=$HERE B=$THERE\n" }, { checkOnly: true, buildContexts });
  assert.deepEqual(
    checked?.findings.map(({ message }) => message),
    ["Usage of undefined variable '$THERE' (did you mean $HERE?)"],
  );
});
