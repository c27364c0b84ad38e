// The build checks, rule by rule, with BuildKit's own examples; who silences them, and what fails a build.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { parseIgnore } from "../../src/context/ignore.ts";
import {
  type BaseFacts,
  type CheckFacts,
  checkDockerfile,
  DockerfileError,
  findBaseImages,
  formatViolation,
  type ImageFacts,
  LineError,
  parseDockerfile,
  readCheckConfig,
  rules,
} from "../../src/dockerfile/dockerfile.ts";
import { sharedFolder } from "../support/shared.ts";

interface Given {
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly target?: string;
  /** By image; the others have no more than a PATH. */
  readonly bases?: Readonly<Record<string, Partial<BaseFacts>>>;
  /** Platforms of images that COPY --from names. */
  readonly images?: Readonly<Record<string, ImageFacts["platform"]>>;
  /** No base image can be looked at. */
  readonly offline?: boolean;
  readonly ignore?: string;
}

const amd64 = { os: "linux", architecture: "amd64" };
const predefined = new Map([
  ["BUILDPLATFORM", "linux/amd64"],
  ["TARGETPLATFORM", "linux/amd64"],
  ["TARGETOS", "linux"],
  ["TARGETARCH", "amd64"],
]);

function look(text: string, { buildArgs = {}, target, bases = {}, images = {}, offline, ignore }: Given = {}) {
  const dockerfile = parseDockerfile(text, "Dockerfile");
  const given = { buildArgs: new Map(Object.entries(buildArgs)), predefined };
  const known = [...findBaseImages(dockerfile, given)].map(([index, { image }]) => {
    const usual = { env: new Map([["PATH", "/bin"]]), hasShell: false, triggers: [], platform: amd64, wanted: amd64 };
    return [index, { ...usual, ...bases[image] }] as const;
  });
  const patterns = ignore === undefined ? undefined : parseIgnore(ignore, ".dockerignore");
  const isIgnored = (path: string): boolean => {
    if (!patterns) return false;
    const parts = path.split("/");
    let result: ReturnType<typeof patterns.match> | undefined;
    for (const i of parts.keys()) result = patterns.match(parts.slice(0, i + 1).join("/"), result);
    return result?.isIgnored ?? false;
  };
  const facts: CheckFacts = {
    ...given,
    target: target === undefined ? undefined : dockerfile.stages.find(({ name }) => name === target),
    bases: new Map(offline ? [] : known),
    images: new Map(Object.entries(images).map(([name, platform]) => [name, { platform, wanted: amd64 }])),
    isIgnored: patterns?.hasExceptions ? undefined : isIgnored,
  };
  const config = readCheckConfig(dockerfile, given.buildArgs);
  return { config, findings: checkDockerfile(dockerfile, config, facts) };
}

/** `LINE RULE: MESSAGE`. */
function seen(text: string, given?: Given): string[] {
  return look(text, given).findings.map(({ rule, message, range }) => `${range.start.line} ${rule}: ${message}`);
}

const rows: readonly [name: string, text: string, expected: readonly string[], given?: Given][] = [
  ["a stage name with capitals", "FROM scratch AS BadName\n", ["1 StageNameCasing: Stage name 'BadName' should be lowercase"]],
  ["a small `as`", "FROM scratch as b\n", ["1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"]],
  ["a big `AS`", "from scratch AS b\n", ["1 FromAsCasing: 'AS' and 'from' keywords' casing do not match"]],
  ["an empty continuation line", "FROM scratch\nCOPY a \\\n\n/b\n", ["2 NoEmptyContinuation: Empty continuation line"]],
  [
    "mixed case",
    "From scratch as base\nFROM scratch AS base2\n",
    ["1 ConsistentInstructionCasing: Command 'From' should match the case of the command majority (uppercase)"],
  ],
  [
    "the minority",
    "from scratch\nCOPY a /foo\ncopy a /bar\n",
    ["2 ConsistentInstructionCasing: Command 'COPY' should match the case of the command majority (lowercase)"],
  ],
  ["one case for all", "from scratch\ncopy a /foo\n", []],
  [
    "two stages of one name",
    "FROM scratch AS b\nFROM scratch AS b\n",
    ['2 DuplicateStageName: Duplicate stage name "b", stage names should be unique'],
  ],
  [
    "reserved names",
    "FROM scratch AS scratch\nFROM scratch AS context\n",
    [
      '1 ReservedStageName: Stage name should not use the same name as reserved stage "scratch"',
      '2 ReservedStageName: Stage name should not use the same name as reserved stage "context"',
    ],
  ],
  ["`scratch` as a base", "FROM scratch\nFROM scratch AS a\n", []],
  [
    "a command for the shell",
    "FROM scratch\nCMD x\n",
    ["2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals"],
  ],
  ["a command for a chosen shell", 'FROM scratch\nSHELL ["/s"]\nENTRYPOINT x\n', []],
  ["a shell of the stage below", 'FROM scratch AS a\nSHELL ["/s"]\nFROM a\nCMD x\n', []],
  ["a shell of the base image", "FROM a\nCMD x\n", [], { bases: { a: { hasShell: true } } }],
  ["MAINTAINER", "FROM scratch\nMAINTAINER me\n", ["2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label"]],
  ["a declared argument in FROM", "ARG base=scratch\nFROM $base\n", []],
  ["a predefined argument in FROM", "FROM --platform=$BUILDPLATFORM scratch\n", []],
  ["an argument in FROM that is declared and not set", "ARG DEBUG\nFROM scratch${DEBUG}\n", []],
  [
    "a misspelt platform argument",
    "FROM --platform=$BULIDPLATFORM scratch\n",
    ["1 UndefinedArgInFrom: FROM argument 'BULIDPLATFORM' is not declared (did you mean BUILDPLATFORM?)"],
  ],
  [
    "a misspelt argument in FROM",
    "ARG MY_OS=linux\nARG MY_ARCH=amd64\nFROM --platform=linux/${MYARCH} busybox\n",
    ["3 UndefinedArgInFrom: FROM argument 'MYARCH' is not declared (did you mean MY_ARCH?)"],
  ],
  [
    "an undeclared argument in FROM",
    "ARG tag=latest\nFROM busybox:${tag}${version} AS b\n",
    ["2 UndefinedArgInFrom: FROM argument 'version' is not declared"],
  ],
  [
    "a relative WORKDIR",
    "FROM scratch\nWORKDIR app/\nWORKDIR sub\n",
    ['2 WorkdirRelativePath: Relative workdir "app/" can have unexpected results if the base image changes'],
  ],
  ["a relative WORKDIR above one of the stage below", "FROM scratch AS a\nWORKDIR /app\nFROM a\nWORKDIR sub\n", []],
  ["an absolute WORKDIR in a variable", "FROM scratch\nARG d=/a\nWORKDIR $d\n", []],
  ["a variable that is declared and not set", "FROM scratch\nARG foo\nCOPY a$foo .\n", []],
  ["a variable of the stage below", "FROM a AS base\nARG foo=x\nFROM base\nCOPY $foo .\n", []],
  ["a variable for the shell", "FROM a\nRUN echo $HERE\n", []],
  ["a variable of the base image", "FROM a\nENV X=$HERE\n", [], { bases: { a: { env: new Map([["HERE", "x"]]) } } }],
  ["a variable before its ARG", "FROM a\nCOPY $foo .\nARG foo=bar\n", ["2 UndefinedVar: Usage of undefined variable '$foo'"]],
  [
    "a misspelt variable",
    "FROM a\nARG DIR_BINARIES=b/\nARG DIR_ASSETS=a/\nCOPY $DIR_ASSET .\n",
    ["4 UndefinedVar: Usage of undefined variable '$DIR_ASSET' (did you mean $DIR_ASSETS?)"],
  ],
  ["a misspelt PATH", "FROM a\nENV PATH=$PAHT:/b\n", ["2 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)"]],
  ["one variable twice in a line", "FROM a\nLABEL x=$foo y=$foo\n", ["2 UndefinedVar: Usage of undefined variable '$foo'"]],
  ["the text of a heredoc", "FROM a\nCOPY <<E /f\n$foo\nE\n", ["2 UndefinedVar: Usage of undefined variable '$foo'"]],
  ["a quoted heredoc", "FROM a\nCOPY <<'E' /f\n$foo\nE\n", []],
  ["a mount", "FROM a\nRUN --mount=type=cache,target=/$foo x\n", ["2 UndefinedVar: Usage of undefined variable '$foo'"]],
  ["an argument above FROM in a stage", "ARG v=1\nFROM a\nLABEL v=$v\n", ["3 UndefinedVar: Usage of undefined variable '$v'"]],
  ["an argument above FROM, declared again", "ARG v=1\nFROM a\nARG v\nLABEL v=$v\n", []],
  [
    "capitals where the base is not known",
    "FROM a\nENV X=$HERE Y=$here\n",
    ["2 UndefinedVar: Usage of undefined variable '$here'"],
    { offline: true },
  ],
  ["a trigger of the base image", "FROM a\nLABEL x=$v\n", [], { bases: { a: { triggers: ["ARG v"] } } }],
  [
    "a trigger of the stage below",
    "FROM scratch AS a\nONBUILD LABEL x=$foo\nFROM a\n",
    ["3 UndefinedVar: Usage of undefined variable '$foo'"],
  ],
  [
    "what counts once",
    'FROM scratch\nENTRYPOINT ["a"]\nCMD ["a"]\nHEALTHCHECK CMD ["a"]\nUSER 1\nENTRYPOINT ["b"]\nCMD ["b"]\nHEALTHCHECK NONE\n',
    ["ENTRYPOINT", "CMD", "HEALTHCHECK"].map(
      (word, i) =>
        `${i + 2} MultipleInstructionsDisallowed: Multiple ${word} instructions should not be used in the same stage because only the last one will be used`,
    ),
  ],
  ["what counts once in each stage", 'FROM scratch AS a\nCMD ["a"]\nFROM a\nCMD ["b"]\n', []],
  [
    "the old form",
    "FROM scratch\nENV a b\nLABEL c d\n",
    [
      '2 LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format',
      '3 LegacyKeyValueFormat: "LABEL key=value" should be used instead of legacy "LABEL key value" format',
    ],
  ],
  ["two arguments in one line", "FROM scratch\nARG TARGETOS TARGETARCH\nARG VERSION REVISION\nRUN build $VERSION $REVISION\n", []],
  ["stages that the target does not need", "FROM scratch AS a\nFROM a AS b\nENV k v\nFROM a AS c\n", [], { target: "c" }],
  [
    "stages that the target copies from",
    "FROM scratch AS a\nENV k=$foo\nFROM scratch AS b\nCOPY --from=a /x /\n",
    ["2 UndefinedVar: Usage of undefined variable '$foo'"],
    { target: "b" },
  ],
  [
    "a base for another platform",
    "FROM a\n",
    ['1 InvalidBaseImagePlatform: Base image a was pulled with platform "linux/arm64", expected "linux/amd64" for current build'],
    { bases: { a: { platform: { os: "linux", architecture: "arm64" } } } },
  ],
  [
    "an image of another platform to copy from",
    "FROM scratch\nCOPY --from=a /f /\nCOPY --from=b /f /\n",
    ['2 InvalidBaseImagePlatform: Base image a was pulled with platform "linux/arm/v7", expected "linux/amd64" for current build'],
    { images: { a: { os: "linux", architecture: "arm", variant: "v7" }, b: amd64 } },
  ],
  [
    "the target's platform",
    "FROM --platform=${TARGETPLATFORM} scratch\n",
    ["1 RedundantTargetPlatform: Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior"],
  ],
  [
    "names of secrets",
    "FROM scratch\nENV SUPER_Secret=foo git_key=\nARG auth=bar sunflower\nENV PUBLIC_KEY= keyboard=\nARG public_token\n",
    ['ENV "SUPER_Secret"', 'ENV "git_key"', 'ARG "auth"'].map(
      (detail, i) => `${i < 2 ? 2 : 3} SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (${detail})`,
    ),
  ],
  [
    "an argument that FROM cannot do without",
    "ARG VERSION\nFROM busybox:$VERSION\n",
    ["2 InvalidDefaultArgInFrom: Default value for ARG busybox:$VERSION results in empty or invalid base image name"],
    { buildArgs: { VERSION: "latest" } },
  ],
  [
    "an argument whose default is no image",
    'ARG SFX="box:"\nFROM busy${SFX}\n',
    ["2 InvalidDefaultArgInFrom: Default value for ARG busy${SFX} results in empty or invalid base image name"],
    { buildArgs: { SFX: "box:latest" } },
  ],
  ["an argument that may be empty", "ARG V\nFROM busybox:stable${V}\n", [], { buildArgs: { V: "-musl" } }],
  [
    "a fixed platform",
    "FROM --platform=linux/amd64 scratch\n",
    ['1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/amd64"'],
  ],
  ["a fixed platform that the stage's name tells", "FROM --platform=linux/amd64 scratch AS my_amd64_stage\n", []],
  [
    "an ignored source",
    "FROM scratch\nCOPY Dockerfile .\nADD ./Dockerfile /w\n",
    [
      '2 CopyIgnoredFile: Attempting to Copy file "Dockerfile" that is excluded by .dockerignore',
      '3 CopyIgnoredFile: Attempting to Add file "Dockerfile" that is excluded by .dockerignore',
    ],
    { ignore: "Dockerfile\n" },
  ],
  ["the whole context", "FROM scratch\nCOPY . .\nCOPY ./ /a/\nCOPY / /b/\n", [], { ignore: "*\n" }],
  [
    "an ignored name in a stage",
    "FROM scratch AS a\nCOPY --from=b /foobar /\nADD https://h/foobar /\n",
    [],
    { ignore: "foobar\nhttps:\n" },
  ],
  ["exceptions in the ignore file", "FROM scratch\nCOPY a/b .\n", [], { ignore: "a\n!a/c\n" }],
  [
    "a protocol with capitals",
    "FROM scratch\nEXPOSE 80/TcP\n",
    ["2 ExposeProtoCasing: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase"],
  ],
  [
    "a port of the host",
    "FROM scratch\nARG p=80:80\nEXPOSE $p\n",
    ["3 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '80:80'"],
  ],
  [
    "comments that describe nothing",
    "# check=experimental=InvalidDefinitionDescription\n# bar is\nARG foo=bar\n# BasE is\nFROM scratch AS base\n# bad\nARG version=latest\n# bad\nARG foo=baz bar=qux\n",
    [
      ...["3 ARG # foo", "5 FROM # base", "7 ARG # version", "9 ARG # <arg_key>"].map((row) => {
        const [, line, word, sample] = /^(\d) (\w+) (.*)$/.exec(row) ?? [];
        return `${line} InvalidDefinitionDescription: Comment for ${word} should follow the format: \`${sample} <description>\``;
      }),
    ],
  ],
  ["comments that describe nothing, unasked", "# bad\nFROM scratch AS base\n", []],
  [
    "comments that describe, and comments apart",
    "# check=experimental=all\n# foo is\nARG foo=bar\n\n# base is\nFROM scratch AS base\n# baz is\nARG foo=baz baz=x\n#\nARG bit\n# apart\n\nARG bat\n# other\nUSER 1\n",
    [],
  ],
  [
    "several sources to one file",
    "FROM scratch\nCOPY a b /c\n",
    ['2 SeveralSourcesNeedSlash: COPY of several sources to "/c", which has no slash at its end: the last one wins'],
  ],
  ["several sources to a directory", "FROM scratch\nCOPY a b /c/\nCOPY a b .\nADD a* b /c\nCOPY a b /c/.\n", []],
  [
    "rules that there are not",
    "# check=skip=JSONArgRecommended,MaintainerDeprecated\nFROM scratch\nMAINTAINER x\n",
    ['1 UnknownRule: There is no rule "JSONArgRecommended" (did you mean JSONArgsRecommended?)'],
  ],
  [
    "flags that do not go together",
    "FROM scratch\nCOPY --link --chmod=755 --exclude=/a b /c\nADD --keep-git-dir a /c\nADD --keep-git-dir https://h/x.git /c\n",
    [
      "2 LinkWithChmod: COPY --link is without effect beside --chmod",
      "2 RootedExclude: --exclude=/a matches nothing: patterns are relative to each copied directory and begin with no slash",
      "3 KeepGitDirWithoutGit: ADD --keep-git-dir is without effect: no source is a git repository",
    ],
  ],
  [
    "flags that nobody reads",
    "FROM scratch\nSTOPSIGNAL --x=y SIGTERM\nHEALTHCHECK --interval=5s NONE\n",
    ["2 IgnoredFlag: STOPSIGNAL takes no flags: --x has no effect", "3 IgnoredFlag: HEALTHCHECK takes no flags: --interval has no effect"],
  ],
];

for (const [name, text, expected, given] of rows)
  test(`the checks say of ${name}: ${expected.length === 0 ? "nothing" : (/[A-Z]\w+/.exec(expected[0] ?? "") ?? [])[0]}`, () => {
    assert.deepEqual(seen(text, given), expected);
  });

const casing = "FROM scratch as base\ncopy Dockerfile .\n";
const both = ["FromAsCasing", "ConsistentInstructionCasing"];

const configurations: readonly [name: string, text: string, rules: readonly string[], error: string | undefined, given?: Given][] = [
  ["nothing", casing, both, undefined],
  ["skip=all", `#check=skip=all\n${casing}`, [], undefined],
  ["skip=all;error=true", `#check=skip=all;error=true\n${casing}`, [], undefined],
  ["skip of both", `#check=skip= ConsistentInstructionCasing , FromAsCasing\n${casing}`, [], undefined],
  ["skip of one", `#check=skip=ConsistentInstructionCasing\n${casing}`, ["FromAsCasing"], undefined],
  ["error=true", `# check=error=true\n${casing}`, both, "lint violation found for rules: ConsistentInstructionCasing, FromAsCasing"],
  [
    "skip and error",
    `#check=skip=ConsistentInstructionCasing;error=true\n${casing}`,
    ["FromAsCasing"],
    "lint violation found for rules: FromAsCasing",
  ],
  [
    "the build argument in place of the directive",
    `#check=skip=all\n${casing}`,
    ["FromAsCasing"],
    "lint violation found for rules: FromAsCasing",
    { buildArgs: { BUILDKIT_DOCKERFILE_CHECK: "skip=ConsistentInstructionCasing;error=true" } },
  ],
  [
    "the build argument that silences",
    `#check=error=true\n${casing}`,
    [],
    undefined,
    { buildArgs: { BUILDKIT_DOCKERFILE_CHECK: "skip=all" } },
  ],
  ["error=true with a check of our own alone", "# check=error=true\nFROM scratch\nCOPY a b /c\n", ["SeveralSourcesNeedSlash"], undefined],
  ["a comment", "FROM scratch\n# check=skip=JSONArgsRecommended it is meant so\nCMD x\nENTRYPOINT y\n", ["JSONArgsRecommended"], undefined],
  ["a comment that skips all", "FROM scratch\n# why\n# check=skip=all\nCMD x\n", [], undefined],
  ["a comment above another line", "FROM scratch\n# check=skip=all\n\nCMD x\n", ["JSONArgsRecommended"], undefined],
  ["a comment that cannot be read", "FROM scratch\n# check=silence\nCMD x\n", ["JSONArgsRecommended"], undefined],
  ["a comment above the later of two", 'FROM scratch\nCMD ["a"]\n# check=skip=MultipleInstructionsDisallowed\nCMD ["b"]\n', [], undefined],
  [
    "a comment that turns on",
    "# check=skip=all\n\n# check=experimental=all\n# is odd\nFROM scratch AS x\n",
    ["InvalidDefinitionDescription"],
    undefined,
  ],
];

for (const [name, text, expected, error, given] of configurations)
  test(`configured by ${name}, the checks find ${expected.join(" and ") || "nothing"}`, () => {
    const { config, findings } = look(text, given);
    assert.deepEqual(
      findings.map(({ rule }) => rule),
      expected,
    );
    assert.equal(formatViolation(config, findings)?.message, error);
  });

test("a directive that cannot be read is an error at its place", () => {
  const rows: [string, string][] = [
    ["silence", 'Dockerfile:2:9: failed to parse check options: invalid check option "silence"'],
    ["skip=all;quiet=1", 'Dockerfile:2:18: failed to parse check options: invalid check option "quiet"'],
    ["error=perhaps", "Dockerfile:2:15: invalid value for the check option error: perhaps"],
  ];
  for (const [value, message] of rows) {
    const dockerfile = parseDockerfile(`# syntax=x\n# check=${value}\nFROM scratch\n`, "Dockerfile");
    assert.throws(
      () => readCheckConfig(dockerfile, new Map()),
      (error: Error) => error instanceof DockerfileError && error.message.startsWith(message),
    );
    assert.throws(() => readCheckConfig(dockerfile, new Map([["BUILDKIT_DOCKERFILE_CHECK", value]])), LineError);
  }
});

test("BuildKit's 22 rules have their pages, all but one", () => {
  const theirs = rules.filter(({ own }) => !own);
  assert.equal(theirs.length, 22);
  assert.deepEqual(
    theirs.filter(({ url }) => url === undefined).map(({ name }) => name),
    ["InvalidBaseImagePlatform"],
  );
  const pages = Object.fromEntries(theirs.map(({ name, url }) => [name, url]));
  const root = "https://docs.docker.com/go/dockerfile/rule/";
  assert.equal(pages.JSONArgsRecommended, `${root}json-args-recommended/`);
  assert.equal(pages.UndefinedArgInFrom, `${root}undefined-arg-in-from/`);
  assert.equal(pages.SecretsUsedInArgOrEnv, `${root}secrets-used-in-arg-or-env/`);
});

/** The examples of a page, each under its verdict; those that are no whole Dockerfile get a FROM. */
function readExamples(page: string): { verdict: "Bad" | "Good"; text: string }[] {
  const examples: { verdict: "Bad" | "Good"; text: string }[] = [];
  for (const [, verdict, text = ""] of page.matchAll(/(?:❌|✅) (Bad|Good)[\s\S]*?```dockerfile\n([\s\S]*?)```/g)) {
    const whole = text.replace(/^\.\.\.\n/gm, "");
    examples.push({ verdict: verdict === "Bad" ? "Bad" : "Good", text: /^FROM /im.test(whole) ? whole : `FROM scratch\n${whole}` });
  }
  return examples;
}

test("each Bad example of BuildKit's pages warns with its rule, and no Good one does", (t) => {
  const folder = sharedFolder(t, "conformance/checks");
  if (folder === undefined) return;
  const counts = { Bad: 0, Good: 0 };
  for (const name of readdirSync(folder).filter((file) => !file.startsWith("_"))) {
    const rule = name.replace(/\.md$/, "");
    const page: string = readFileSync(`${folder}/${name}`, "utf8");
    const ignore = /\.dockerignore` file:\n\n```text\n([\s\S]*?)```/.exec(page)?.[1];
    for (const { verdict, text } of readExamples(page)) {
      counts[verdict]++;
      const bases = { python: { env: new Map([["PYTHON_VERSION", "3"]]) } };
      const all = text.startsWith("#") || rule === "InvalidDefinitionDescription" ? `# check=experimental=all\n${text}` : text;
      for (const given of [{ bases }, { offline: true }]) {
        const found = look(all, { ...given, ...(ignore === undefined ? {} : { ignore }) }).findings.some((one) => one.rule === rule);
        assert.equal(found, verdict === "Bad", `${name}, ${verdict}:\n${text}`);
      }
    }
  }
  assert.ok(counts.Bad >= 21 && counts.Good >= 25, JSON.stringify(counts));
});

test("the checks never throw, and each finding stands in the file", () => {
  const word = fc.constantFrom(
    "a",
    "$x",
    "${x:-$y}",
    "${x",
    "'q",
    "/a/",
    "80/TCP",
    "1.2.3.4:80:80",
    "--x=y",
    "a=b",
    "",
    "[",
    '["a"]',
    ".",
    "b:",
  );
  const instruction = fc.constantFrom(
    ...["ARG", "env", "Label", "COPY", "add", "RUN", "USER", "WORKDIR", "VOLUME", "EXPOSE", "STOPSIGNAL", "CMD", "ENTRYPOINT"],
    ...[
      "HEALTHCHECK CMD",
      "HEALTHCHECK",
      "ONBUILD ARG",
      "ONBUILD COPY",
      "ONBUILD",
      "FROM",
      "FROM a AS",
      "SHELL",
      "MAINTAINER",
      "#",
      "# check=skip=",
    ],
    ...["RUN --mount=type=cache,from=0,target=$x", "COPY --from=a", "COPY --from=9", "FROM --platform=$TARGETPLATFORM"],
  );
  const line = fc
    .tuple(instruction, fc.array(word, { maxLength: 4 }))
    .map(([head, words]) => (words.includes(".") ? `COPY <<E ${head}\n${words.join("\n")}\nE` : [head, ...words].join(" ")));
  let read = 0;
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), fc.boolean(), (lines, offline) => {
      const text = ["FROM a AS a", ...lines].join("\n");
      if (!isReadable(text)) return;
      read++;
      const { findings } = look(text, { offline, ignore: "a\n" });
      const last = text.split("\n").length;
      assert.ok(findings.every(({ range }) => range.start.line >= 1 && range.end.line <= last));
    }),
    { numRuns: 1000 },
  );
  assert.ok(read > 100, `only ${read} Dockerfiles could be read`);
});

function isReadable(text: string): boolean {
  try {
    parseDockerfile(text, "Dockerfile");
    return true;
  } catch (error) {
    assert.ok(error instanceof DockerfileError);
    return false;
  }
}
