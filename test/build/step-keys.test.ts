// What the keys of steps depend on, and on what they do not.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { baseKey } from "../../src/build/bases.ts";
import { makePlan, type PlanRequest } from "../../src/build/make-plan.ts";
import type { Base } from "../../src/build/plan.ts";
import { computeKeys, type LayerMode, stateKey } from "../../src/build/step-keys.ts";
import { keyOf } from "../../src/cache/cache.ts";
import { parseDockerfile } from "../../src/dockerfile/dockerfile.ts";
import { type Platform, parsePlatform } from "../../src/image/platform.ts";
import { parseReference, withDefaultTag } from "../../src/image/reference.ts";
import { treeOfLines } from "../support/trees.ts";

interface Case extends Partial<LayerMode> {
  /** Without a FROM it is `FROM busybox`. */
  readonly dockerfile?: string;
  /** Of the build context, as lines. */
  readonly files?: string;
  /** Of the named context `more`. */
  readonly more?: string;
  readonly args?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly platform?: string;
  readonly network?: "none";
  /** Distinguishes the layers of the base image. */
  readonly base?: string;
  /** What ADD finds at its URL. */
  readonly found?: string;
}

/** The last stage's key after its last step, and the last layer's own. */
async function keysOf({ dockerfile = "COPY . /app/", files = usualFiles, more = usualFiles, ...given }: Case) {
  const platform = parsePlatform(given.platform ?? "linux/amd64");
  const text = dockerfile.startsWith("FROM") ? dockerfile : `FROM busybox\n${dockerfile}`;
  const request: PlanRequest = {
    target: undefined,
    buildArgs: new Map(Object.entries(given.args ?? {})),
    labels: new Map(Object.entries(given.labels ?? {})),
    buildContexts: new Map([["more", "/more"]]),
    platform,
    emulators: ["arm64", "amd64"],
    uncached: { all: false, stages: [] },
    network: given.network ?? "default",
    allowed: [],
  };
  const made = makePlan(parseDockerfile(text, "Dockerfile"), basesFor(platform, given.base ?? "0"), request);
  assert.ok("plan" in made);
  const { plan } = made;
  const contexts: Record<string, string> = { "": files, more };
  const keys = await computeKeys(plan, {
    epoch: given.epoch ?? plan.epoch,
    rewriteTimestamp: given.rewriteTimestamp ?? false,
    ignoredPaths: [],
    reproducible: given.reproducible ?? false,
    context(name) {
      const view = treeOfLines(contexts[name] ?? "");
      return { view, keepsOwners: false, digest: async (path) => view.lstat(path)?.sha256 };
    },
    identify: async () => given.found ?? "found",
  });
  const last = keys[plan.targets[0] ?? 0];
  const step = last?.steps.at(-1);
  return { state: step?.state ?? last?.base, own: step?.own };
}

function basesFor(platform: Platform, seed: string): Map<string, Base> {
  return new Map(
    ["busybox", "alpine"].map((name, i) => {
      const reference = withDefaultTag(parseReference(name));
      const config = { config: {}, rootfs: { type: "layers", diff_ids: [`sha256:${`${i}${seed}`.repeat(32)}`] }, history: [] } as const;
      const digest = `sha256:${`${seed}${i}`.repeat(32)}` as const;
      return [baseKey(reference, platform), { reference, otherPlatform: false, digest, platform, config: { ...platform, ...config } }];
    }),
  );
}

const usualFiles = `
f 644 0:0 a A
d 755 0:0 dir
f 755 0:0 dir/b B
l dir/link b
h dir/c dir/b
d 755 0:0 other
f 644 0:0 other/b B
`;
const edit = (from: string, to: string) => usualFiles.replace(from, to);
const run = (flags: string, command = "true") => `RUN ${flags} ${command}`;

type Row = readonly [what: string, first: Case, second: Case];

const misses: readonly Row[] = [
  ["a file's content", {}, { files: edit("dir/b B", "dir/b C") }],
  ["a file's name", {}, { files: edit("f 644 0:0 a A", "f 644 0:0 z A") }],
  ["a file's directory", {}, { files: edit("other/b", "other/c") }],
  ["a directory's name", {}, { files: usualFiles.replaceAll("other", "others") }],
  ["a file's mode", {}, { files: edit("644 0:0 a", "755 0:0 a") }],
  ["a directory's mode", {}, { files: edit("755 0:0 other", "700 0:0 other") }],
  ["where a link leads", {}, { files: edit("dir/link b", "dir/link c") }],
  ["that a link is a file", {}, { files: edit("l dir/link b", "f 777 0:0 dir/link B") }],
  ["that two names of a file are two files", {}, { files: edit("h dir/c dir/b", "f 755 0:0 dir/c B") }],
  ["that a name is another file's too", {}, { files: edit("h dir/c dir/b", "h dir/c a") }],
  ["an empty file more", {}, { files: `${usualFiles}f 644 0:0 new` }],
  ["an empty directory more", {}, { files: `${usualFiles}d 755 0:0 new` }],
  ["a file less", {}, { files: edit("f 644 0:0 other/b B\n", "") }],
  ["that a file is a pipe", {}, { files: edit("f 644 0:0 a A", "p 644 0:0 a") }],
  ["bytes that move from one file to the next", { files: "f 644 0:0 a AB\nf 644 0:0 b C" }, { files: "f 644 0:0 a A\nf 644 0:0 b BC" }],
  ["the destination", {}, { dockerfile: "COPY . /app" }],
  ["a working directory that the destination is in", { dockerfile: "WORKDIR /a\nCOPY . ." }, { dockerfile: "WORKDIR /b\nCOPY . ." }],
  ["the sources", { dockerfile: "COPY a dir/b /app/" }, { dockerfile: "COPY dir/b a /app/" }],
  ["--chown", { dockerfile: "COPY --chown=1 a /" }, { dockerfile: "COPY --chown=1:1 a /" }],
  ["--chmod", { dockerfile: "COPY a /" }, { dockerfile: "COPY --chmod=0644 a /" }],
  ["a symbolic --chmod", { dockerfile: "COPY --chmod=u+x a /" }, { dockerfile: "COPY --chmod=u+x,g+x a /" }],
  ["--parents", { dockerfile: "COPY dir/b /app/" }, { dockerfile: "COPY --parents dir/b /app/" }],
  [
    "a directory that --parents keeps",
    { dockerfile: "COPY --parents */b /app/" },
    { dockerfile: "COPY --parents */b /app/", files: usualFiles.replaceAll("other", "others") },
  ],
  [
    "the mode of a directory that --parents keeps",
    { dockerfile: "COPY --parents */b /app/" },
    { dockerfile: "COPY --parents */b /app/", files: edit("755 0:0 other", "700 0:0 other") },
  ],
  ["--exclude", { dockerfile: "COPY --exclude=a . /app/" }, { dockerfile: "COPY --exclude=b . /app/" }],
  ["--link", { dockerfile: "COPY a /" }, { dockerfile: "COPY --link a /" }],
  ["whether an archive is unpacked", { dockerfile: "ADD a /" }, { dockerfile: "ADD --unpack=false a /" }],
  ["the context", { dockerfile: "COPY a /", more: "f 644 0:0 a B" }, { dockerfile: "COPY --from=more a /", more: "f 644 0:0 a B" }],
  ["the image that is copied from", { dockerfile: "COPY --from=alpine a /" }, { dockerfile: "COPY --from=busybox a /" }],
  ["what a URL leads to", { dockerfile: "ADD https://h/a /" }, { dockerfile: "ADD https://h/a /", found: "else" }],
  ["the name of what a URL leads to", { dockerfile: "ADD https://h/a /" }, { dockerfile: "ADD https://h/b /" }],
  ["text in the Dockerfile", { dockerfile: "COPY <<E /a\n1\nE" }, { dockerfile: "COPY <<E /a\n2\nE" }],
  ["the name of text in the Dockerfile", { dockerfile: "COPY <<E /a/\n1\nE" }, { dockerfile: "COPY <<F /a/\n1\nF" }],
  ["the base", {}, { base: "1" }],
  ["the base's name, where it has other layers", {}, { dockerfile: "FROM alpine\nCOPY . /app/" }],
  ["the platform", {}, { platform: "linux/arm64" }],
  ["the platform's variant", { platform: "linux/arm/v6" }, { platform: "linux/arm/v7" }],
  [
    "the platform without a base",
    { dockerfile: "FROM scratch\nCOPY a /" },
    { dockerfile: "FROM scratch\nCOPY a /", platform: "linux/arm64" },
  ],
  ["the order of steps", { dockerfile: "COPY a /\nCOPY dir /" }, { dockerfile: "COPY dir /\nCOPY a /" }],
  ["a step above", { dockerfile: "COPY a /\nRUN true" }, { dockerfile: "COPY a /b\nRUN true" }],
  ["a step more", { dockerfile: "RUN true" }, { dockerfile: "RUN true\nRUN true" }],
  [
    "the stage that is built FROM",
    { dockerfile: "FROM busybox AS x\nRUN 1\nFROM x\nRUN true" },
    { dockerfile: "FROM busybox AS x\nRUN 2\nFROM x\nRUN true" },
  ],
  [
    "the stage that is copied from",
    { dockerfile: "FROM busybox AS x\nRUN 1\nFROM busybox\nCOPY --from=x /a /" },
    { dockerfile: "FROM busybox AS x\nRUN 2\nFROM busybox\nCOPY --from=x /a /" },
  ],
  ["the command", { dockerfile: "RUN a b" }, { dockerfile: "RUN a  b" }],
  ["whether there is a shell", { dockerfile: "RUN a" }, { dockerfile: 'RUN ["a"]' }],
  ["the shell", { dockerfile: "RUN a" }, { dockerfile: 'SHELL ["/bin/ash", "-c"]\nRUN a' }],
  ["where an argument ends", { dockerfile: 'RUN ["a", "b c"]' }, { dockerfile: 'RUN ["a", "b", "c"]' }],
  ["a variable", { dockerfile: "ENV A=1\nRUN a" }, { dockerfile: "ENV A=2\nRUN a" }],
  ["where a variable ends", { dockerfile: "ENV A=1\nENV B=2\nRUN a" }, { dockerfile: 'ENV A="1 B=2"\nRUN a' }],
  ["an unset variable", { dockerfile: "RUN a" }, { dockerfile: 'ENV A=""\nRUN a' }],
  ["an argument's value", { dockerfile: "ARG A=1\nRUN a" }, { dockerfile: "ARG A=1\nRUN a", args: { A: "2" } }],
  ["an argument's default", { dockerfile: "ARG A=1\nRUN a" }, { dockerfile: "ARG A=2\nRUN a" }],
  [
    "a proxy that the Dockerfile declares",
    { dockerfile: "ARG HTTP_PROXY\nRUN a", args: { HTTP_PROXY: "1" } },
    { dockerfile: "ARG HTTP_PROXY\nRUN a", args: { HTTP_PROXY: "2" } },
  ],
  ["the working directory", { dockerfile: "WORKDIR /\nWORKDIR /x\nRUN a" }, { dockerfile: "WORKDIR /x\nWORKDIR /\nRUN a" }],
  ["the user", { dockerfile: "RUN a" }, { dockerfile: "USER 1\nRUN a" }],
  ["the network", { dockerfile: "RUN a" }, { dockerfile: "RUN --network=none a" }],
  ["--network", { dockerfile: "RUN a" }, { dockerfile: "RUN a", network: "none" }],
  [
    "a mounted file",
    { dockerfile: run("--mount=target=/x,source=a") },
    { dockerfile: run("--mount=target=/x,source=a"), files: edit("a A", "a B") },
  ],
  [
    "a mounted empty directory",
    { dockerfile: run("--mount=target=/x") },
    { dockerfile: run("--mount=target=/x"), files: `${usualFiles}d 755 0:0 new` },
  ],
  ["what a mount shows", { dockerfile: run("--mount=target=/x,source=dir") }, { dockerfile: run("--mount=target=/x,source=other") }],
  ["where a mount is", { dockerfile: run("--mount=target=/x") }, { dockerfile: run("--mount=target=/y") }],
  ["whether a mount is writable", { dockerfile: run("--mount=target=/x") }, { dockerfile: run("--mount=target=/x,rw") }],
  ["the sort of a mount", { dockerfile: run("--mount=type=tmpfs,target=/x") }, { dockerfile: run("--mount=type=cache,target=/x") }],
  ["a cache's id", { dockerfile: run("--mount=type=cache,target=/x") }, { dockerfile: run("--mount=type=cache,target=/x,id=y") }],
  [
    "what a cache begins with",
    { dockerfile: run("--mount=type=cache,target=/x") },
    { dockerfile: run("--mount=type=cache,target=/x,from=alpine") },
  ],
  ["a cache's owner", { dockerfile: run("--mount=type=cache,target=/x") }, { dockerfile: run("--mount=type=cache,target=/x,uid=1") }],
  ["the size of a tmpfs", { dockerfile: run("--mount=type=tmpfs,target=/x") }, { dockerfile: run("--mount=type=tmpfs,target=/x,size=1m") }],
  ["a secret's id", { dockerfile: run("--mount=type=secret,id=a,target=/x") }, { dockerfile: run("--mount=type=secret,id=b,target=/x") }],
  ["a secret's variable", { dockerfile: run("--mount=type=secret,id=a,env=A") }, { dockerfile: run("--mount=type=secret,id=a,env=B") }],
  ["a secret's mode", { dockerfile: run("--mount=type=secret,id=a") }, { dockerfile: run("--mount=type=secret,id=a,mode=0444") }],
  ["an agent's id", { dockerfile: run("--mount=type=ssh") }, { dockerfile: run("--mount=type=ssh,id=b") }],
  ["a script", { dockerfile: "RUN <<E\n#!/bin/a\n1\nE" }, { dockerfile: "RUN <<E\n#!/bin/a\n2\nE" }],
  ["SOURCE_DATE_EPOCH", { epoch: 1 }, { epoch: 2 }],
  ["that there is a SOURCE_DATE_EPOCH", {}, { epoch: 0 }],
  ["--rewrite-timestamp", { epoch: 1 }, { epoch: 1, rewriteTimestamp: true }],
  ["--reproducible", {}, { reproducible: true }],
];

const hits: readonly Row[] = [
  ["labels", { dockerfile: "LABEL a=1\nRUN a" }, { dockerfile: "LABEL b=2\nRUN a" }],
  ["the order of labels", { dockerfile: "LABEL a=1 b=2\nRUN a" }, { dockerfile: "LABEL b=2 a=1\nRUN a" }],
  ["--label", {}, { labels: { a: "b" } }],
  [
    "CMD, ENTRYPOINT, EXPOSE, VOLUME, STOPSIGNAL, HEALTHCHECK",
    {},
    { dockerfile: "CMD a\nENTRYPOINT b\nEXPOSE 1\nVOLUME /v\nSTOPSIGNAL 9\nHEALTHCHECK NONE\nCOPY . /app/" },
  ],
  ["variables that a COPY does not name", {}, { dockerfile: "ENV A=1\nARG B=2\nCOPY . /app/" }],
  ["USER, for a COPY", {}, { dockerfile: "USER 5\nCOPY . /app/" }],
  ["how the instruction is written", {}, { dockerfile: "copy  \\\n  . \\\n  /app/" }],
  ["comments", {}, { dockerfile: "# a\nCOPY . /app/\n# b" }],
  ["how variables come to a value", { dockerfile: "COPY . /app/" }, { dockerfile: "ARG D=app\nCOPY . /$D/" }],
  ["a working directory that the destination is not in", { dockerfile: "COPY . /app/" }, { dockerfile: "FROM busybox\nCOPY . app/" }],
  ["proxies", { dockerfile: "RUN a", args: { HTTP_PROXY: "1" } }, { dockerfile: "RUN a", args: { https_proxy: "2", NO_PROXY: "3" } }],
  ["arguments that nobody declares", { dockerfile: "RUN a" }, { dockerfile: "RUN a", args: { A: "2" } }],
  [
    "whether a secret is required",
    { dockerfile: run("--mount=type=secret,id=a") },
    { dockerfile: run("--mount=type=secret,id=a,required") },
  ],
  [
    "how a cache is shared",
    { dockerfile: run("--mount=type=cache,target=/x") },
    { dockerfile: run("--mount=type=cache,target=/x,sharing=locked") },
  ],
  ["files that are not taken", { dockerfile: "COPY dir /app/" }, { dockerfile: "COPY dir /app/", files: edit("a A", "a B") }],
  [
    "files that --exclude leaves out",
    { dockerfile: "COPY --exclude=other . /app/" },
    { dockerfile: "COPY --exclude=other . /app/", files: edit("other/b B", "other/c C") },
  ],
  [
    "files that no mount shows",
    { dockerfile: run("--mount=target=/x,source=dir") },
    { dockerfile: run("--mount=target=/x,source=dir"), files: edit("a A", "a B") },
  ],
  ["owners in the context", {}, { files: usualFiles.replaceAll("0:0", "1000:1000") }],
  ["which context has the files", { dockerfile: "COPY a /" }, { dockerfile: "COPY --from=more a /" }],
  [
    "names of stages",
    { dockerfile: "FROM busybox AS x\nRUN a\nFROM busybox\nCOPY --from=x /a /" },
    { dockerfile: "FROM busybox\nRUN a\nFROM busybox\nCOPY --from=0 /a /" },
  ],
  ["where a step stands", { dockerfile: "FROM busybox AS x\nRUN a\nFROM x\nRUN b" }, { dockerfile: "RUN a\nRUN b" }],
  ["the host of a URL", { dockerfile: "ADD https://h/a /" }, { dockerfile: "ADD https://mirror/x/a /" }],
  [
    "--checksum of what is there",
    { dockerfile: "ADD https://h/a /" },
    { dockerfile: `ADD --checksum=sha256:${"0".repeat(64)} https://h/a /` },
  ],
];

describe("another key comes of another", () => {
  for (const [what, first, second] of misses)
    test(what, async () => assert.notEqual((await keysOf(first)).state, (await keysOf({ ...second })).state));
});

describe("the same key comes of another", () => {
  for (const [what, first, second] of hits) test(what, async () => assert.equal((await keysOf(first)).state, (await keysOf(second)).state));
});

describe("a linked layer's own key", () => {
  const linked = "COPY --link dir /app/";
  const same: readonly Row[] = [
    ["on another base", { dockerfile: linked }, { dockerfile: `FROM alpine\n${linked}` }],
    ["after other steps", { dockerfile: linked }, { dockerfile: `RUN a\n${linked}` }],
    ["for another platform", { dockerfile: linked }, { dockerfile: linked, platform: "linux/arm64" }],
  ];
  for (const [what, first, second] of same)
    test(`is the same ${what}`, async () => {
      const keys = [await keysOf(first), await keysOf(second)];
      assert.ok(keys[0]?.own !== undefined);
      assert.equal(keys[0].own, keys[1]?.own);
      assert.notEqual(keys[0].state, keys[1]?.state);
    });
  const others: readonly Row[] = [
    ["for other files", { dockerfile: linked }, { dockerfile: linked, files: edit("dir/b B", "dir/b C") }],
    ["for another time", { dockerfile: linked }, { dockerfile: linked, epoch: 1 }],
    ["to another place", { dockerfile: linked }, { dockerfile: "COPY --link dir /else/" }],
  ];
  for (const [what, first, second] of others)
    test(`is another ${what}`, async () => assert.notEqual((await keysOf(first)).own, (await keysOf(second)).own));
  test("is there for --link alone", async () => assert.equal((await keysOf({})).own, undefined));
  test("is not there for --link with --chmod, which BuildKit copies as usual", async () =>
    assert.equal((await keysOf({ dockerfile: "COPY --link --chmod=1 a /" })).own, undefined));
});

describe("keyOf", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "1", ":", "\0", "\n", "é"), maxLength: 4 });
  const parts = fc.array(text, { maxLength: 4 });
  test("gives another key for each list of parts", () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => (keyOf("x", a) === keyOf("x", b)) === (JSON.stringify(a) === JSON.stringify(b))),
      { numRuns: 2000 },
    );
  });
  test("gives another key for each way to cut the same bytes", () => {
    fc.assert(
      fc.property(text, text, text, (a, b, c) => {
        const cuts = [[a, b, c], [a + b, c], [a, b + c], [a + b + c], ["", a, b, c]].map((list) => JSON.stringify(list));
        const keys = cuts.map((cut) => keyOf("x", JSON.parse(cut) as string[]));
        assert.equal(new Set(keys).size, new Set(cuts).size);
      }),
    );
  });
  test("gives another key for what it is a key of", () => {
    fc.assert(fc.property(text, text, parts, (a, b, list) => (keyOf(a, list) === keyOf(b, list)) === (a === b)));
    assert.notEqual(keyOf("x", ["y"]), keyOf("xy", []));
    assert.notEqual(stateKey("a", "b"), stateKey("b", "a"));
  });
});
