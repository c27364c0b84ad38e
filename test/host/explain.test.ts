// The command line of slipway explain, and what it prints.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ExplainedStage, Request } from "../../src/build/build.ts";
import { runShell } from "../../src/host/shell.ts";
import { coreWith, openTestSurroundings } from "./surroundings.ts";

const explained: readonly ExplainedStage[] = [
  {
    name: "build",
    platform: "linux/arm64",
    base: "alpine@sha256:0123",
    steps: [{ id: "build 2/2", line: 2, text: "RUN make", state: "not needed" }],
  },
  {
    name: "stage-1",
    platform: "linux/amd64",
    base: "scratch",
    steps: [
      { id: "stage-1 2/3", line: 4, text: "COPY a /", state: "cached", store: "directory /c" },
      { id: "stage-1 3/3", line: 5, text: "RUN echo ##[error]", state: "to build", why: "not in the cache: a changed" },
    ],
  },
];

async function run(args: readonly string[]) {
  const surroundings = openTestSurroundings(["explain", ...args]);
  const requests: Request[] = [];
  const core = coreWith({
    async build(request) {
      requests.push(request);
      return { written: [], explained };
    },
  });
  const code = await runShell(core, surroundings);
  return { code, request: requests[0], said: surroundings.err.join(""), printed: surroundings.out.join("") };
}

describe("slipway explain", () => {
  const asked: readonly (readonly [args: readonly string[], store: string])[] = [
    [["--cache-store=c"], "directory"],
    [["--cache", "-d", "r.test/app:1"], "repository"],
    [["--cache", "-d", "r.test/app:1", "--no-push"], "repository"],
    [["--cache", "--cache-repo=oci:c"], "layout"],
  ];
  for (const [args, kind] of asked)
    test(`with ${args.join(" ")} looks into the ${kind}, and pushes nothing`, async () => {
      const { code, request, said } = await run(args);
      assert.equal(code, 0, said);
      assert.equal(request?.cache?.explainOnly, true);
      assert.equal(request?.push, false);
      assert.deepEqual(
        request?.cache?.stores.map((store) => store.kind),
        [kind],
      );
    });

  const wrong: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [[], /slipway explain has no cache to look into: give --cache-store, or --cache with --cache-repo or --destination/],
    [["--cache"], /slipway explain has no cache to look into/],
    [["-d", "r.test/app:1"], /slipway explain has no cache to look into/],
    [["--cache-store=c", "--dryrun"], /flag --dryrun has no meaning for slipway explain/],
    [["--cache-store=c", "--format=sarif"], /--format=sarif is of slipway check alone/],
    [["--cache-store=c", "--max-size=1"], /flag --max-size is one of slipway prune alone/],
    [["--cache-store=c", "x"], /unexpected argument "x"/],
  ];
  for (const [args, said] of wrong)
    test(`refuses ${args.join(" ")}`, async () => {
      const outcome = await run(args);
      assert.equal(outcome.code, 1);
      assert.match(outcome.said, said);
      assert.equal(outcome.request, undefined);
    });

  test("prints a line for each step, and how many there are of each sort", async () => {
    assert.equal(
      (await run(["--cache-store=c"])).printed,
      [
        "[build 1/2] FROM alpine@sha256:0123 for linux/arm64",
        "[build 2/2] RUN make: not needed",
        "[stage-1 1/3] FROM scratch for linux/amd64",
        "[stage-1 2/3] COPY a /: cached in directory /c",
        "[stage-1 3/3] RUN echo ## [error]: to build, not in the cache: a changed",
        "1 cached, 1 to build, 1 not needed",
        "",
      ].join("\n"),
    );
  });

  test("prints the same as JSON", async () => {
    const { printed } = await run(["--cache-store=c", "--format=json"]);
    assert.deepEqual(JSON.parse(printed), { stages: explained, cached: 1, toBuild: 1, notNeeded: 1 });
    assert.doesNotMatch(printed, /##\[/);
  });
});
