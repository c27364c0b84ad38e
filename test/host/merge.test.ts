// The command line of slipway merge.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MergeRequest } from "../../src/build/build.ts";
import { runShell } from "../../src/host/shell.ts";
import { coreWith, openTestSurroundings } from "./surroundings.ts";

const digest = `sha256:${"0".repeat(64)}` as const;

async function run(args: readonly string[]) {
  const surroundings = openTestSurroundings(["merge", ...args]);
  const requests: MergeRequest[] = [];
  const code = await runShell(
    coreWith({
      async mergeImages(request) {
        requests.push(request);
        return { written: [], digest };
      },
    }),
    surroundings,
  );
  return { code, request: requests[0], said: surroundings.err.join("") };
}

describe("slipway merge", () => {
  test("reads images, destinations, annotations and files", async () => {
    const args = [`r.test/a@${digest}`, "-d", "r.test/a:1", "r.test/b:arm", "--annotation=x=y", "--digest-file=d", "--insecure"];
    const { code, request, said } = await run(args);
    assert.equal(code, 0);
    assert.deepEqual(
      request?.sources.map(({ repository, tag }) => [repository, tag]),
      [
        ["a", undefined],
        ["b", "arm"],
      ],
    );
    assert.deepEqual(
      request?.destinations.map(({ repository, tag }) => `${repository}:${tag}`),
      ["a:1"],
    );
    assert.deepEqual(request?.annotations, [{ level: "index", key: "x", value: "y" }]);
    assert.deepEqual(request?.outputs, { digestFile: "/work/d" });
    assert.equal(request?.registry.insecure, true);
    assert.match(said, /Index of 2 images: sha256:0/);
  });

  const wrong: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [["r.test/a:1"], /you must provide --destination/],
    [["-d", "r.test/a:1"], /name the images to merge/],
    [["-d", "r.test/a:1", "UPPER//x"], /UPPER/],
    [["-d", "r.test/a:1", "r.test/a:2", "--target=x"], /flag --target has no meaning for slipway merge/],
    [["-d", "r.test/a:1", "r.test/a:2", "--annotation=manifest:a=b"], /the images keep their digests/],
    [["-d", "r.test/a:1", "r.test/a:2", "--annotation=index-descriptor:a=b"], /nothing in a registry describes an index/],
  ];
  for (const [args, said] of wrong)
    test(`refuses ${args.join(" ")}`, async () => {
      const outcome = await run(args);
      assert.equal(outcome.code, 1);
      assert.match(outcome.said, said);
    });
});
