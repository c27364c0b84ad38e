// Plans are compared with golden files: `plans/CASE/{Dockerfile,case.json,plan.txt}`. UPDATE_GOLDEN=1 writes what the planner says now.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { baseKey } from "../../src/build/bases.ts";
import { makePlan, type PlanRequest } from "../../src/build/make-plan.ts";
import type { Base } from "../../src/build/plan.ts";
import { showPlan } from "../../src/build/show.ts";
import { DockerfileError, parseDockerfile } from "../../src/dockerfile/dockerfile.ts";
import type { ContainerConfig, ImageConfig } from "../../src/image/image.ts";
import { formatImageName } from "../../src/image/layout.ts";
import { hostPlatform } from "../../src/image/platform.ts";
import { parseReference, withDefaultTag } from "../../src/image/reference.ts";
import { assertMarked, readMarks } from "../support/marked.ts";

interface Case {
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly buildContexts?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly allowed?: readonly string[];
  /** --no-cache-filter. */
  readonly uncached?: readonly string[];
  /** By reference: the `config` objects of base images. */
  readonly bases?: Readonly<Record<string, ContainerConfig>>;
}

const platform = { os: "linux", architecture: hostPlatform().architecture };

function requestOf(given: Case): PlanRequest {
  return {
    target: given.target,
    buildArgs: new Map(Object.entries(given.buildArgs ?? {})),
    labels: new Map(Object.entries(given.labels ?? {})),
    buildContexts: new Map(Object.entries(given.buildContexts ?? {})),
    platform,
    emulators: [],
    uncached: { all: false, stages: given.uncached ?? [] },
    network: "default",
    allowed: given.allowed ?? [],
  };
}

function basesOf(given: Case): Map<string, Base> {
  const entries = Object.entries(given.bases ?? { busybox: { Env: ["PATH=/bin"], Cmd: ["sh"] } });
  return new Map(
    entries.map(([text, config], i) => {
      const reference = withDefaultTag(parseReference(text));
      const image: ImageConfig = { ...platform, config, rootfs: { type: "layers", diff_ids: [] }, history: [] };
      return [
        baseKey(reference, platform),
        { reference, otherPlatform: false, digest: `sha256:${String(i).repeat(64)}`, platform, config: image },
      ];
    }),
  );
}

function plan(text: string, given: Case = {}) {
  const made = makePlan(parseDockerfile(text, "Dockerfile"), basesOf(given), requestOf(given));
  if ("wanted" in made) throw new Error(`needs ${made.wanted.map(({ reference }) => formatImageName(reference)).join(", ")}`);
  return made.plan;
}

describe("makePlan gives the plan of", () => {
  const folder = fileURLToPath(new URL("./plans/", import.meta.url));
  for (const name of readdirSync(folder))
    test(name, () => {
      const file = (part: string) => `${folder}${name}/${part}`;
      const given: Case = existsSync(file("case.json")) ? JSON.parse(readFileSync(file("case.json"), "utf8")) : {};
      const shown = showPlan(plan(readFileSync(file("Dockerfile"), "utf8"), given)).replaceAll(platform.architecture, "ARCH");
      if (process.env.UPDATE_GOLDEN) writeFileSync(file("plan.txt"), shown);
      assert.equal(shown, readFileSync(file("plan.txt"), "utf8"));
    });
});

describe("makePlan refuses", () => {
  const rows: readonly (readonly [what: string, dockerfile: string, reason: RegExp, given?: Case])[] = [
    ["a blank base", "ARG X\nFROM «$X»", /base name \(\$X\) should not be blank/],
    [
      "an unknown target with a suggestion",
      "FROM scratch AS build",
      /bulid is not a valid target build stage.*did you mean build/,
      { target: "bulid" },
    ],
    ["a stage that copies from itself", "FROM scratch AS a\nCOPY --from=«a» / /", /circular dependency detected on stage: a/],
    [
      "a stage that copies from a later one",
      "FROM scratch AS a\nCOPY --from=«b» / /\nFROM scratch AS b\nFROM a",
      /cannot copy from stage "b", it needs to be defined before current stage "a"/,
    ],
    ["a stage number that is not there", "FROM scratch\nCOPY --from=«7» / /", /invalid stage index 7/],
    ["an upper-case image name", "FROM «Busy_Box»", /failed to parse stage name "Busy_Box": invalid reference format.*lower-case/],
    [
      "a user's name with --link",
      "FROM busybox\nCOPY --link --chown=«www:5» a /",
      / invalid user index: -1.*\(with --link, write owners as numbers\)/,
    ],
    ["a group's name with --link", "FROM busybox\nADD --link --chown=«5:www» a /", / invalid group index: -1/],
    ["a mount on the root", "FROM busybox\nRUN --mount=type=cache,target=«/x/..» true", / invalid mount target "\/x\/\.\."/],
    ["a mount without a target in the root", "FROM busybox\nRUN «--mount=type=tmpfs» true", /invalid mount target ""/],
    ["a mount inside /proc", "FROM busybox\nRUN --mount=target=«/proc/sys» true", /cannot be mounted because it is inside \/proc/],
    ["a mount of its own stage", "FROM busybox AS a\nRUN --mount=«from=a»,target=/x true", /circular dependency detected on stage: a/],
    [
      "a mount from a later stage",
      "FROM busybox AS a\nRUN --mount=«from=b»,target=/x true\nFROM busybox AS b\nFROM a",
      /cannot mount from stage "b", it needs to be defined before current stage "a"/,
    ],
    ["a mount from a variable stage", "FROM busybox\nRUN --mount=from=«$X»,target=/x true", /'from' doesn't support variable expansion/],
    ["an agent with a source", "FROM busybox\nRUN --mount=type=ssh,source=«/x» true", /ssh does not support source/],
    ["more rights", "FROM busybox\nRUN --security=«insecure» true", /entitlement security\.insecure is not allowed: no sandbox/],
    ["devices", "FROM busybox\nRUN «--device=vendor.com/gpu=all» true", /RUN --device=vendor\.com\/gpu=all is not allowed: no sandbox/],
    [
      "the machine's network",
      "FROM busybox\nRUN --network=«host» true",
      /entitlement network\.host is not allowed.*--allow=network\.host/s,
    ],
    ["a pattern that is none", "FROM scratch\nCOPY --exclude=«[» a /", / invalid excludepatterns: \[\[\]: .*"\[" has no "\]"/],
    ["a mode that is none", "FROM scratch\nCOPY --chmod=«64a» a /", /invalid chmod parameter: '64a'/],
    ["a mode that is too large", "FROM scratch\nCOPY --chmod=«10000» a /", /invalid chmod parameter: '10000'/],
    ["COPY of a URL", "FROM scratch\nCOPY «https://example.com/a» /", /source can't be a URL for COPY \(use ADD\)/],
    ["COPY of a git repository", "FROM scratch\nCOPY «https://example.com/a.git#main» /", /source can't be a git ref for COPY/],
    ["a URL that is none", "FROM scratch\nADD «http://[:1/a» /", /invalid URL: http:/],
    [
      "a checksum of a local file",
      `FROM scratch\nADD «--checksum=sha256:${"a".repeat(64)}» a /`,
      /checksum requires HTTP\(S\) or Git sources/,
    ],
    [
      "a checksum of several sources",
      "FROM scratch\nADD «--checksum=x» http://a/b http://a/c /",
      /checksum can't be specified for multiple sources/,
    ],
    ["a checksum without its kind", `FROM scratch\nADD «--checksum=${"a".repeat(64)}» http://a/b /`, /invalid checksum digest format/],
    [
      "a checksum of an unknown kind",
      "FROM scratch\nADD «--checksum=md5:7e55db001d319a94b0b713529a756623» http://a/b /",
      /unsupported digest algorithm/,
    ],
    ["a checksum that is too short", "FROM scratch\nADD «--checksum=sha256:abc» http://a/b /", /invalid checksum digest length/],
    ["a checksum with COPY", "FROM scratch\nCOPY «--checksum»=sha256:abc a /", /unknown flag: --checksum/],
    ["a git address with a query that is none", "FROM scratch\nADD «https://h/a.git?bogus=1» /", / unexpected query "bogus"/],
    [
      "--keep-git-dir against the address",
      "FROM scratch\nADD «--keep-git-dir=false» https://h/a.git?keep-git-dir=1 /",
      /inconsistent keep-git-dir configuration/,
    ],
    [
      "a checksum against the address",
      "FROM scratch\nADD «--checksum=aaaaaaaa» https://h/a.git?checksum=bbbbbbbb /",
      /checksum mismatch "aaaaaaaa" != "bbbbbbbb"/,
    ],
    ["a checksum that is no commit", "FROM scratch\nADD «--checksum=sha1:0» https://h/a.git /", /invalid checksum sha1:0 for Git source/],
    ["a port that is none", "FROM scratch\nEXPOSE «80x»", /invalid containerPort: 80x/],
    ["a signal that is none", "FROM scratch\nSTOPSIGNAL «SIGNOPE»", /invalid signal: SIGNOPE/],
    ["an empty volume", "FROM scratch\nVOLUME «$NOPE»", /VOLUME specified can not be an empty string/],
    ["a required variable that is not set", 'FROM scratch\nENV A=«${B:?"say B"}»', /B: say B/],
    ["a default that needs what is not set", "ARG X=a Y=«${Z?no}»\nFROM scratch", /Z: no/],
    ["an image that needs what is not set", "FROM scratch AS «1»", /invalid name for build stage/],
    ["a platform that is none", "FROM --platform=«a/b/c/d/e» scratch", /a\/b\/c\/d\/e/],
    ["a variable in the second word", "FROM scratch\nCOPY a «${X:?say}»\\\n/b /c", /X: say/],
    ["a variable in a word of JSON", 'FROM scratch\nCOPY ["a\\u0041", "\u00e9«${X:?x}»", "/c"]', /X: x/],
    ["a variable in the destination", "FROM scratch\nCOPY a a«${X?}»", /X: is not allowed to be unset/],
    ["a variable in a heredoc", "FROM scratch\nCOPY <<-A <<B /d/\n\ta\nA\nb\n\t$Z «${X?no}»\nB", /X: no/],
    ["a variable in a heredoc without tabs", "FROM scratch\nCOPY <<-A /d\n\ta\n\t\tb «${X?no}»\nA", /X: no/],
    ["a variable in a flag", "FROM scratch\nCOPY --link --chown='1:«${X?no}»' a /b", /X: no/],
    ["a variable in a mount", "FROM busybox\nRUN --mount=target=/a --mount=type=cache,target=/«${X?no}» x", /X: no/],
    ["a variable of the second pair", "FROM scratch\nENV a=1 b=2«${X:?no}»", /X: no/],
    ["a variable in the old form", "FROM scratch\nLABEL a  b «${X:?no}» c", /X: no/],
    ["a port in a range that runs backwards", "FROM scratch\nEXPOSE 1 «9-8» 2", /invalid/],
    [
      "a key of a mount",
      "FROM busybox\nRUN --mount=target=/a --mount=type=cache,«tarte=/b» x",
      /unexpected key 'tarte'.*did you mean target/,
    ],
    ["a type of a mount", "FROM busybox\nRUN --mount=«type=cahce»,target=/b x", /unsupported mount type "cahce" \(did you mean cache\?\)/],
    ["a key that its mount has not", "FROM busybox\nRUN --mount=type=bind,target=/b,«mode=7» x", /mode not allowed/],
    [
      "a trigger",
      "«FROM base»\nRUN x",
      /ONBUILD trigger "RNU x": unknown instruction: RNU \(did you mean RUN\?\)/,
      { bases: { base: { OnBuild: ["RNU x"] } } },
    ],
    ["a trigger's variable", "«FROM base»\nRUN x", /X: no/, { bases: { base: { OnBuild: ["USER ${X?no}"] } } }],
    ["a substitution without its end", "FROM scratch\nENV A=b B=c«${A»", /missing '}'/],
    ["a substitution of nothing", "FROM scratch\nUSER a«${»}", /bad substitution/],
    ["a modifier that is none", "FROM scratch\nUSER $A«${A:=»b}", /unsupported modifier \(:=\)/],
    ["a pattern with an escape that is none", "FROM scratch\nUSER «${A#\\a}»", /invalid escape/],
    ["an error of what is nested", "FROM scratch\nUSER ${A:-«${B:?no}»}", /B: no/],
    ["substitutions nested too deeply", `FROM scratch\nUSER ${"${A:-".repeat(499)}«\${A:-»x${"}".repeat(500)}`, /nested too deeply/],
    ["quotes that do not end in a path", 'FROM scratch\nWORKDIR /a«"b c»', /looking for matching double-quote/],
    ["a mount's record without end", 'FROM busybox\nRUN «--mount=\\"ax» y', /extraneous or missing " in quoted-field/],
    ["a mount of nothing", "FROM busybox\nRUN «--mount=» x", /failed to parse csv mounts: EOF/],
    ["a field without its value", "FROM busybox\nRUN --mount=type=cache,«target» x", /invalid field 'target' must be a key=value pair/],
    ["a boolean that is none", "FROM busybox\nRUN --mount=target=/x,«ro=maybe» x", /invalid value for ro: maybe/],
    ["a user's number that is none", "FROM busybox\nRUN --mount=type=cache,target=/x,«uid=me» x", /invalid value me for uid/],
    [
      "a size that is none",
      "FROM busybox\nRUN --mount=type=tmpfs,target=/x,«size=big» x",
      /invalid value for size: big \(write it as 64m or 1g\)/,
    ],
    ["a size of what has none", "FROM busybox\nRUN --mount=target=/x,«size=1m» x", /unexpected key 'size' for mount type 'bind'/],
    ["what cannot be required", "FROM busybox\nRUN --mount=target=/x,«required» x", /unexpected key 'required' for mount type 'bind'/],
    [
      "a way of sharing that is none",
      "FROM busybox\nRUN --mount=type=cache,target=/x,«sharing=lokced» x",
      /unsupported sharing value "lokced" \(did you mean locked\?\)/,
    ],
    [
      "sharing of what is no cache",
      "FROM busybox\nRUN --mount=type=tmpfs,target=/x,«sharing=shared» x",
      /invalid cache sharing set for tmpfs mount/,
    ],
    ["a secret of a stage", "FROM busybox AS a\nFROM a\nRUN --mount=type=secret,id=x,«from=a» x", /secret mount should not have a from/],
    ["a secret that is shared", "FROM busybox\nRUN --mount=type=secret,id=x,«sharing=locked» x", /secret mount should not define sharing/],
    ["a secret without a name", "FROM busybox\nRUN «--mount=type=secret» x", /invalid secret mount/],
    ["a secret with two names", "FROM busybox\nRUN --mount=type=secret,id=x,«src=y» x", /both source and id can't be set/],
    ["a device with two names", "FROM busybox\nRUN --device=name=a,«name=b» x", /device name already set to a/],
    ["a device's key that is none", "FROM busybox\nRUN --device=name=a,«requird=1» x", /unexpected key 'requird'.*did you mean required/],
    ["an address with an escape that is none", "FROM scratch\nADD a «http://h/%zz» /", /invalid URL escape/],
    ["a time that is none", "ARG A=1 SOURCE_DATE_EPOCH=«soon»\nFROM scratch", /invalid SOURCE_DATE_EPOCH: soon/],
    ["with another escape", "# escape=`\nFROM scratch\nWORKDIR a\\ `\n  «${X?no}»", /X: no/],
    ["behind a byte order mark", "\ufeffFROM scratch\nUSER «${X?no}»", /X: no/],
    ["quotes that do not end", "FROM scratch\nENV name='a\\'b«'»", /looking for matching single-quote/],
  ];
  for (const [what, dockerfile, reason, given] of rows)
    test(what, () => {
      const marked = readMarks(dockerfile);
      assert.throws(
        () => plan(marked.text, given),
        (error) => {
          assert.ok(error instanceof DockerfileError && reason.test(error.message), String(error));
          assertMarked(error, marked);
          return true;
        },
      );
    });
});

describe("makePlan", () => {
  test("names all images it lacks at once, and not those of stages nobody needs", () => {
    const made = makePlan(
      parseDockerfile("FROM a AS unused\nFROM b AS x\nCOPY --from=c:1 / /c\nFROM x", "Dockerfile"),
      new Map(),
      requestOf({}),
    );
    const wanted = "wanted" in made ? made.wanted.map(({ reference }) => formatImageName(reference)) : [];
    assert.deepEqual(wanted, ["index.docker.io/library/b:latest"]);
    const next = makePlan(
      parseDockerfile("FROM a AS unused\nFROM b AS x\nCOPY --from=c:1 / /c\nFROM x", "Dockerfile"),
      basesOf({ bases: { b: {} } }),
      requestOf({}),
    );
    assert.deepEqual("wanted" in next && next.wanted.map(({ reference }) => reference.tag), ["1"]);
  });

  test("looks into the triggers of a base for the stages they need", () => {
    const { stages } = plan("FROM scratch AS files\nFROM busybox", { bases: { busybox: { OnBuild: ["COPY --from=files /a /b"] } } });
    assert.deepEqual(
      stages.map(({ name }) => name),
      ["files", "stage-1"],
    );
  });

  test("keeps history and layers aligned", () => {
    const made = plan("FROM busybox\nENV A=1\nRUN a\nWORKDIR /x\nWORKDIR /\nCOPY a b\nCMD x");
    const layers = made.stages[0]?.config.history?.filter((line) => !line.empty_layer).length;
    assert.equal(layers, made.stages[0]?.steps.length);
  });
});
