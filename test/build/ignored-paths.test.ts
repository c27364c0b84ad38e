// `--ignore-path`: what it matches, and what layers and later commands then have.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openIgnored } from "../../src/build/ignored-paths.ts";
import { layerLines, pushed } from "../support/pushed.ts";
import { openCachedBuilds } from "./cached-builds.ts";

const rows: readonly (readonly [pattern: string, path: string, ignored: boolean])[] = [
  ["/a", "a", true],
  ["a/", "a/b/c", true],
  ["/a", "ab", false],
  ["/a/b", "a", false],
  ["/a/*.log", "a/x.log", true],
  ["/a/*.log", "a/x/y.log", false],
  ["/a/*", "a/x/y", true],
  ["/*/b", "a/b/c", true],
  ["/[ab]", "b", true],
  ["/", "a", false],
];

for (const [pattern, path, expected] of rows)
  test(`${pattern} ${expected ? "leaves out" : "leaves in"} /${path}`, async () => {
    assert.equal((await openIgnored([pattern]))?.(path) ?? false, expected);
  });

test("a malformed pattern is an error that quotes it", async () => {
  await assert.rejects(openIgnored(["/ok", "/a["]), /^Error: Cannot use "--ignore-path=\/a\[": the pattern is malformed$/);
});

const dockerfile = `FROM BASE
COPY . /x/
RUN mkdir -p /gone/deep /stays && echo 1 >/gone/deep/file && echo 2 >/stays/file && rm -f /x/other.log
RUN cat /gone/deep/file >/stays/seen 2>/dev/null || echo nothing >/stays/seen`;

for (const sandbox of ["ns", "chroot"] as const)
  test(`in ${sandbox} layers of RUN and COPY lack it, and another build's cache does not matter`, async (t) => {
    const tools = await openCachedBuilds(t);
    if (tools === undefined) return;
    const files = { ".dockerignore": "Dockerfile\n.dockerignore", "a.log": "a", "b.txt": "b", "other.log": "c" };
    const all = await tools.build(dockerfile, files, {}, { sandbox });
    const ignoredPaths = ["/gone", "/x/*.log"];
    const some = await tools.build(dockerfile, files, {}, { sandbox, ignoredPaths });
    assert.deepEqual(some.outcomes, { "stage-0": ["done", "done", "done"] });
    const again = await tools.build(dockerfile, files, {}, { sandbox, ignoredPaths });
    assert.deepEqual([again.outcomes, again.digest], [{ "stage-0": ["cached", "cached", "cached"] }, some.digest]);
    assert.deepEqual((await tools.build(dockerfile, files, {}, { sandbox })).digest, all.digest);
    const image = pushed(tools.registry, "app", "2");
    const layers: { digest: string }[] = image?.manifest.layers.slice(1) ?? [];
    const lines = await Promise.all(layers.map(({ digest }) => layerLines(image?.store ?? { blobs: new Map() }, digest)));
    assert.doesNotMatch(lines.flat().join("\n"), /gone|log/);
    assert.match(lines.flat().join("\n"), /stays\/file/);
  });
