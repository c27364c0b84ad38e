// Where paths lead through the symlinks of a tree.

import assert from "node:assert/strict";
import { test } from "node:test";
import { resolvePath, treeOf } from "../../src/filesystem/filesystem.ts";
import { layer } from "./entries.ts";

const tree = treeOf([
  layer(
    "usr/bin/sh#1",
    "bin -> usr/bin",
    "abs -> /usr/bin/",
    "up -> ../../usr",
    "loop -> loop",
    "file#1",
    "chain -> abs",
    "gone -> no/where",
  ),
]);

const rows: readonly [path: string, resolved: string, exists: boolean, followLast?: false][] = [
  ["", "", true],
  ["usr/bin/sh", "usr/bin/sh", true],
  ["bin/sh", "usr/bin/sh", true],
  ["abs/sh", "usr/bin/sh", true],
  ["up/bin/sh", "usr/bin/sh", true],
  ["chain", "usr/bin", true],
  ["chain", "chain", true, false],
  ["chain/", "chain", true, false],
  ["chain/sh", "usr/bin/sh", true, false],
  ["bin/new/deep", "usr/bin/new/deep", false],
  ["gone/x", "no/where/x", false],
  ["file/x", "file/x", false],
  ["../../bin", "usr/bin", true],
  ["bin/../lib", "usr/lib", false],
  ["missing/../bin", "usr/bin", true],
];

for (const [path, resolved, exists, followLast] of rows)
  test(`resolvePath leads "${path}" to "${resolved}"${followLast === false ? " without following the last" : ""}`, () => {
    const result = resolvePath(tree, path, followLast === false ? { followLast } : {});
    assert.equal(result.path, resolved);
    assert.equal(result.node !== undefined, exists);
    assert.equal(result.node, tree.lstat(resolved));
  });

test("resolvePath gives up on circles", () => {
  assert.throws(() => resolvePath(tree, "loop/x"), /Cannot resolve "loop\/x": .*ELOOP/);
  assert.equal(resolvePath(tree, "loop", { followLast: false }).path, "loop");
});
