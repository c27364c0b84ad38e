// What layers come to when they are merged, row by row.

import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyTree, type Tree, treeOf } from "../../src/filesystem/filesystem.ts";
import { entry, layer } from "./entries.ts";

/** `path/` for directories, `path -> target` for symlinks, `path#size` for files. */
function show(tree: Tree): string[] {
  return [...tree.walk()].slice(1).map(({ path, node: { attributes } }) => {
    if (attributes.type === "directory") return `${path}/`;
    return attributes.type === "symlink" ? `${path} -> ${attributes.link}` : `${path}#${attributes.size}`;
  });
}

const rows: readonly { name: string; layers: readonly (readonly string[])[]; tree: readonly string[] }[] = [
  { name: "parents that no entry names are implied", layers: [["a/b/c#1"]], tree: ["a/", "a/b/", "a/b/c#1"] },
  { name: "an upper file replaces a lower one", layers: [["f#1"], ["f#2"]], tree: ["f#2"] },
  {
    name: "directories merge",
    layers: [
      ["d/", "d/a#1"],
      ["d/", "d/b#2"],
    ],
    tree: ["d/", "d/a#1", "d/b#2"],
  },
  { name: "the last of two entries with one name wins", layers: [["f#1", "f#2"]], tree: ["f#2"] },
  { name: "a file replaces a directory with all in it", layers: [["d/", "d/a#1"], ["d#3"]], tree: ["d#3"] },
  { name: "a directory replaces a file", layers: [["d#3"], ["d/", "d/a#1"]], tree: ["d/", "d/a#1"] },
  { name: "a directory that was a file keeps nothing of before", layers: [["d/x#1"], ["d#3"], ["d/", "d/y#2"]], tree: ["d/", "d/y#2"] },
  { name: "a symlink is replaced, not followed", layers: [["r/", "l -> r"], ["l#1"]], tree: ["l#1", "r/"] },
  { name: "a directory replaces a symlink", layers: [["r/x#1", "l -> r"], ["l/"]], tree: ["l/", "r/", "r/x#1"] },
  { name: "a whiteout hides a lower file", layers: [["d/a#1", "d/b#2"], ["d/.wh.a"]], tree: ["d/", "d/b#2"] },
  { name: "a whiteout hides a lower directory", layers: [["d/a#1", "e#2"], [".wh.d"]], tree: ["e#2"] },
  { name: "a whiteout of nothing does nothing", layers: [["a#1"], [".wh.b", "c/.wh.d"]], tree: ["a#1"] },
  { name: "a whiteout spares its own layer, before", layers: [["f#1"], ["f#2", ".wh.f"]], tree: ["f#2"] },
  { name: "a whiteout spares its own layer, after", layers: [["f#1"], [".wh.f", "f#2"]], tree: ["f#2"] },
  { name: "a whiteout does not reach its own layer alone", layers: [["f#2", ".wh.f"]], tree: ["f#2"] },
  { name: "a whited-out directory comes back with new content", layers: [["d/a#1"], [".wh.d", "d/b#2"]], tree: ["d/", "d/b#2"] },
  { name: "the same with the whiteout last", layers: [["d/a#1"], ["d/b#2", ".wh.d"]], tree: ["d/", "d/b#2"] },
  {
    name: "an opaque directory hides what was in it",
    layers: [
      ["d/a#1", "d/s/t#1"],
      ["d/", "d/.wh..wh..opq", "d/b#2"],
    ],
    tree: ["d/", "d/b#2"],
  },
  {
    name: "the same with the marker last",
    layers: [
      ["d/a#1", "d/s/t#1"],
      ["d/", "d/b#2", "d/.wh..wh..opq"],
    ],
    tree: ["d/", "d/b#2"],
  },
  {
    name: "an opaque marker reaches into merged directories",
    layers: [["d/s/t#1"], ["d/s/u#2", "d/.wh..wh..opq"]],
    tree: ["d/", "d/s/", "d/s/u#2"],
  },
  {
    name: "an opaque root",
    layers: [
      ["a#1", "b/c#1"],
      ["z#2", ".wh..wh..opq"],
    ],
    tree: ["z#2"],
  },
  { name: "an entry below a symlink goes where it leads", layers: [["r/", "l -> r"], ["l/x#1"]], tree: ["l -> r", "r/", "r/x#1"] },
  {
    name: "an absolute symlink starts at the root",
    layers: [["u/r/", "l -> /u/r"], ["l/x#1"]],
    tree: ["l -> /u/r", "u/", "u/r/", "u/r/x#1"],
  },
  {
    name: "dots stop at the root",
    layers: [["u/r/", "u/l -> ../../../../u/r"], ["u/l/x#1"]],
    tree: ["u/", "u/l -> ../../../../u/r", "u/r/", "u/r/x#1"],
  },
  {
    name: "a dangling symlink's target is made",
    layers: [["l -> no/where"], ["l/x#1"]],
    tree: ["l -> no/where", "no/", "no/where/", "no/where/x#1"],
  },
  { name: "a whiteout below a symlink", layers: [["r/x#1", "l -> r"], ["l/.wh.x"]], tree: ["l -> r", "r/"] },
  { name: "a symlink of the same layer counts", layers: [["r/", "l -> r", "l/x#1"]], tree: ["l -> r", "r/", "r/x#1"] },
  { name: "a hard link has the file's content", layers: [["f#5", "g => f"]], tree: ["f#5", "g#5"] },
  { name: "a hard link to a lower file", layers: [["f#5"], ["g => f"]], tree: ["f#5", "g#5"] },
  { name: "a hard link outlives its target", layers: [["f#5"], ["g => f"], [".wh.f"]], tree: ["g#5"] },
  { name: "a hard link does not follow its target's replacement", layers: [["f#5", "g => f"], ["f#6"]], tree: ["f#6", "g#5"] },
  { name: "a hard link's target replaced in the same layer", layers: [["f#5", "g => f", "f#6"]], tree: ["f#6", "g#5"] },
  {
    name: "a hard link through a symlinked directory",
    layers: [["r/f#5", "l -> r"], ["g => l/f"]],
    tree: ["g#5", "l -> r", "r/", "r/f#5"],
  },
  { name: "a hard link to a symlink", layers: [["s -> x", "t => s"]], tree: ["s -> x", "t -> x"] },
  { name: "a hard link to itself", layers: [["f#5"], ["f => f"]], tree: ["f#5"] },
  {
    name: "a whiteout spares a new name of a lower file",
    layers: [
      ["f#5", "g#1"],
      ["g => f", ".wh.g", ".wh.f"],
    ],
    tree: ["g#5"],
  },
  {
    name: "names sort by bytes, children after their directory",
    layers: [["a/b", "a-b", "a.b", "\xff", "a/"]],
    tree: ["a/", "a/b#0", "a-b#0", "a.b#0", "\xff#0"],
  },
];

for (const { name, layers, tree } of rows)
  test(`treeOf: ${name}`, () => {
    assert.deepEqual(show(treeOf(layers.map((lines) => layer(...lines)))), tree);
  });

const wrong: readonly { name: string; layers: readonly (readonly string[])[]; error: RegExp }[] = [
  { name: "a file as parent", layers: [["f#1"], ["f/x#1"]], error: /Cannot apply "f\/x": "f" is not a directory/ },
  { name: "a symlink to a file as parent", layers: [["f#1", "l -> f"], ["l/x#1"]], error: /Cannot apply "l\/x": "f" is not a directory/ },
  { name: "symlinks in a circle", layers: [["a -> b", "b -> a", "a/x#1"]], error: /Cannot apply "a\/x": .*ELOOP/ },
  { name: "a hard link to nothing", layers: [["a => b"]], error: /Cannot apply "a": it is a hard link to "b", which does not exist/ },
  { name: "a hard link to a later file", layers: [["a => b", "b#1"]], error: /which does not exist/ },
  { name: "a hard link to a directory", layers: [["b/", "a => b"]], error: /which is a directory/ },
  { name: "a whiteout of a directory's own dots", layers: [["a/", "a/.wh..."]], error: /no valid whiteout/ },
];

for (const { name, layers, error } of wrong)
  test(`treeOf refuses ${name}`, () => {
    assert.throws(() => treeOf(layers.map((lines) => layer(...lines))), error);
  });

test("a tree stays as it was when a layer is put on top of it", () => {
  const lower = treeOf([layer("d/", "d/a#1", "d/s/t#1", "f#1", "g => f")]);
  const before = show(lower);
  const upper = lower.with(layer(".wh.f", "d/.wh..wh..opq", "d/b#2", "d/s/n#1", "/"));
  assert.deepEqual(show(lower), before);
  assert.deepEqual(show(upper), ["d/", "d/b#2", "d/s/", "d/s/n#1", "g#1"]);
  assert.equal(lower.layers, 1);
  assert.equal(upper.layers, 2);
});

test("an entry for the root changes nothing, as in containerd", () => {
  const tree = emptyTree.with({ entries: [entry("", "directory", { mode: 0o700, uid: 5 }), entry("f")] });
  assert.deepEqual(tree.lstat("")?.attributes, emptyTree.lstat("")?.attributes);
  assert.equal(emptyTree.lstat("")?.attributes.mode, 0o755);
  assert.deepEqual(tree.list(""), ["f"]);
});

test("a directory hidden and implied again has lost its attributes, wherever the whiteout stands", () => {
  const lower = emptyTree.with({ entries: [entry("d", "directory", { mode: 0o700, uid: 5, mtime: 9 }), entry("d/a")] });
  for (const upper of [layer(".wh.d", "d/b"), layer("d/b", ".wh.d")]) {
    const { attributes } = lower.with(upper).lstat("d") ?? {};
    assert.deepEqual([attributes?.mode, attributes?.uid, attributes?.mtime], [0o755, 0, 0]);
  }
});

test("a node gives back all that its entry said", () => {
  const sha256 = "00ff".repeat(16);
  const given = entry("etc/passwd", "file", {
    ...{ mode: 0o4755, uid: 4294967294, gid: 70000, mtime: -5, mtimeNs: 123456789, size: 2 ** 40, sha256, text: "root:x:0:0" },
    xattrs: new Map([["security.capability", "\0\x01"]]),
  });
  const node = emptyTree.with({ entries: [given] }).lstat("etc/passwd");
  const { path: _, sha256: __, text: ___, ...attributes } = given;
  assert.deepEqual(node?.attributes, attributes);
  assert.equal(node?.sha256, sha256);
  assert.equal(node?.text, "root:x:0:0");
});

test("hard links share an inode, equal files do not", () => {
  const tree = treeOf([layer("f#1", "g => f", "h#1"), layer("k => g")]);
  assert.equal(tree.lstat("f")?.inode, tree.lstat("g")?.inode);
  assert.equal(tree.lstat("f")?.inode, tree.lstat("k")?.inode);
  assert.notEqual(tree.lstat("f")?.inode, tree.lstat("h")?.inode);
});

test("locate names the layer that has a file's bytes, and the path they have there", () => {
  const tree = treeOf([layer("r/f#1", "l -> r", "x#1"), layer("l/n#2"), layer("k => l/f", "x => r/n"), layer("r/s/")]);
  assert.deepEqual(tree.locate("r/f"), { layer: 0, path: "r/f" });
  assert.deepEqual(tree.locate("r/n"), { layer: 1, path: "l/n" });
  assert.deepEqual(tree.locate("k"), { layer: 0, path: "r/f" });
  assert.deepEqual(tree.locate("x"), { layer: 1, path: "l/n" });
  for (const none of ["", "r", "l", "l/f", "nowhere"]) assert.equal(tree.locate(none), undefined);
});

test("files whose contents are read later get their digests then, in trees on top too", () => {
  const below = treeOf([layer("d/a#1", "gone#1")]);
  const read = (...lines: string[]) => ({ entries: layer(...lines).entries.map((one, i) => ({ ...one, sha256: `${i}`.repeat(64) })) });
  const [index, top] = [read("d/", "d/b#2", "d/b#3", ".wh.gone", "e#4"), read("e#5", "f#6")];
  const unread = index.entries.map((one) => ({ ...one, sha256: "" }));
  const { tree, settle } = below.withUnread(unread);
  const above = tree.with(top);
  assert.deepEqual(show(tree), show(below.with(index)));
  assert.equal(tree.lstat("e")?.sha256, undefined);
  settle(index);
  const digests = (of: Tree) => [...of.walk()].map(({ node }) => node.sha256);
  assert.deepEqual(digests(tree), digests(below.with(index)));
  assert.deepEqual(digests(above), digests(below.with(index).with(top)));
});
