// The command line of slipway warm, kaniko's warmer, and what it prints.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BuildFailure } from "../../src/build/failure.ts";
import type { Warmed, WarmRequest } from "../../src/build/warm.ts";
import { runShell } from "../../src/host/shell.ts";
import { coreWith, openTestSurroundings } from "./surroundings.ts";

const digest = `sha256:${"1".repeat(64)}` as const;

async function run(args: readonly string[], warmed: readonly Warmed[] = [], program = "slipway.mjs") {
  const surroundings = openTestSurroundings(args, { program, env: { NAMED: "value" } });
  const requests: WarmRequest[] = [];
  const core = coreWith({
    async warm(request) {
      requests.push(request);
      return warmed;
    },
  });
  const code = await runShell(core, surroundings);
  return { code, request: requests[0], said: surroundings.err.join(""), printed: surroundings.out.join("") };
}

describe("slipway warm", () => {
  const reads: readonly (readonly [args: readonly string[], expected: Partial<WarmRequest>])[] = [
    [["--image=a:1"], { directory: "/cache", maxAge: 336 * 3600, force: false, dockerfile: undefined }],
    [["-i", "a:1", "-c", "bases", "-f"], { directory: "/work/bases", force: true }],
    [
      ["-d", "sub/Dockerfile", "--build-arg=A=1", "--build-arg=NAMED"],
      {
        dockerfile: "sub/Dockerfile",
        buildArgs: new Map([
          ["A", "1"],
          ["NAMED", "value"],
        ]),
      },
    ],
    [["-i=a", "--customPlatform=linux/arm64"], { platform: { os: "linux", architecture: "arm64" } }],
    [["-i=a", "--cache-ttl=1h30m"], { maxAge: 5400 }],
  ];
  for (const [args, expected] of reads)
    test(`reads ${args.join(" ")}`, async () => {
      const { code, request } = await run(["warm", ...args]);
      assert.equal(code, 0);
      for (const [name, value] of Object.entries(expected)) assert.deepEqual(request?.[name as keyof WarmRequest], value, name);
    });

  test("takes registries as a build does, and several images", async () => {
    const { request } = await run([
      "warm",
      "-i",
      "a:1",
      `--image=r.test/b@${digest}`,
      "--insecure-registry=r.test",
      "--registry-mirror=m.test",
    ]);
    assert.deepEqual(
      request?.images.map(({ registry, repository, tag }) => [registry, repository, tag]),
      [
        ["index.docker.io", "library/a", "1"],
        ["r.test", "b", undefined],
      ],
    );
    assert.deepEqual([request?.registry.insecureRegistries, request?.registry.mirrors], [["r.test"], ["m.test"]]);
  });

  test("is the program that is called warmer", async () => {
    const { request } = await run(["--image=a:1", "--cache-dir=/c"], [], "warmer");
    assert.equal(request?.directory, "/c");
  });

  const wrong: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [[], /name what to warm with --image or --dockerfile/],
    [["-i", "A:1"], /-i: .*"A:1"/],
    [["-i", "a", "--destination=x"], /unknown flag: --destination/],
    [["-i", "a", "--cache-ttl=3d"], /invalid argument "3d" for --cache-ttl/],
    [["-i", "a", "--custom-platform=arm64/linux/x/y"], /invalid argument "arm64\/linux\/x\/y" for --custom-platform/],
    [["a"], /unexpected argument "a"/],
  ];
  for (const [args, said] of wrong)
    test(`refuses ${args.join(" ") || "nothing"}`, async () => {
      const outcome = await run(["warm", ...args]);
      assert.equal(outcome.code, 1);
      assert.match(outcome.said, said);
      assert.equal(outcome.request, undefined);
    });

  const failed = { image: "b:1", outcome: new BuildFailure('Cannot pull "b:1": it is not there', { phase: "warming cache" }) };
  const there: Warmed = { image: "a:1", outcome: { digest, isNew: true } };
  const endings: readonly (readonly [what: string, warmed: readonly Warmed[], code: number, printed: RegExp, said: RegExp])[] = [
    [
      "says what was put there",
      [there, { image: "c:1", outcome: { digest, isNew: false } }],
      0,
      /^a:1: sha256:1+ was put there\nc:1: sha256:1+ is there already\n$/,
      /^$/,
    ],
    ["goes on without an image that fails", [failed, there], 0, /^a:1: .* was put there\n$/, /Cannot pull "b:1"/],
    ["fails where all images do", [failed, failed], 1, /^$/, /Failed warming cache: Cannot pull "b:1": it is not there\n$/],
  ];
  for (const [what, warmed, code, printed, said] of endings)
    test(what, async () => {
      const outcome = await run(["warm", "-i", "a"], warmed);
      assert.equal(outcome.code, code);
      assert.match(outcome.printed, printed);
      assert.match(outcome.said, said);
    });

  test("has a help of its own", async () => {
    const { printed } = await run(["warm", "--help"]);
    assert.match(printed, /-i, --image IMAGE/);
    assert.match(printed, /--insecure-pull/);
    assert.doesNotMatch(printed, /--destination/);
  });
});
