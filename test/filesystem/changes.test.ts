// What a command changed, found from an upper directory and from two scans, as the items of a layer.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import fc from "fast-check";
import {
  changesFromScan,
  changesFromUpper,
  emptyTree,
  openLayerFiles,
  snapshot,
  type Tree,
  unpackLayer,
} from "../../src/filesystem/filesystem.ts";
import type { Helper } from "../../src/helper/helper.ts";
import type { LayerItem } from "../../src/layer/entry.ts";
import { describeDirectory, describeTree, rootHelper, stackingHelper, temporary } from "./disk.ts";
import { hasBusybox, mutations } from "./mutations.ts";
import { layerStacks } from "./stacks.ts";
import { makeLayer, type RawEntry } from "./tar.ts";

const run = promisify(execFile);
const nothing = { exclude: () => false };

interface Prepared {
  readonly lower: Tree;
  readonly root: string;
}

/** A flat directory with some layers in it. */
async function prepareFlat(stack: readonly RawEntry[][], root: string, helper: Helper): Promise<Prepared> {
  await mkdir(root);
  let tree = emptyTree;
  const layers = stack.map(makeLayer);
  for (const [i, layer] of layers.entries()) {
    const lower = { tree, layers: layers.slice(0, i), files: openLayerFiles(`${root}.spool`) };
    tree = await unpackLayer(layer, { root, form: "flat", lower }, { helper });
  }
  return { lower: tree, root };
}

/** What a layer of these items makes of a tree; the sha256 of contents comes from the items' own files. */
function applyItems(tree: Tree, items: readonly LayerItem[]): Tree {
  const entries = items.map(({ entry, content }) => {
    if (content?.kind !== "file") return entry;
    assert.equal(content.size, entry.size);
    return {
      ...entry,
      sha256: createHash("sha256")
        .update(readFileSync(Buffer.from(content.path, "latin1")))
        .digest("hex"),
    };
  });
  return tree.with({ entries });
}

/** A new name of an old file is a file of its own in the layer, as in BuildKit. */
const comparable = { directoryTimes: false, nanoseconds: false, links: false };

async function eachMutation(t: TestContext, numRuns: number, check: (stack: RawEntry[][], script: string, work: string) => Promise<void>) {
  const base = await temporary(t);
  await fc.assert(
    fc.asyncProperty(layerStacks(2), mutations, async (stack, script) => check(stack, script, await mkdtemp(join(base, "run-")))),
    { numRuns },
  );
}

test("what a scan says has changed, put on the tree of before, is the tree of after", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined || !hasBusybox(t)) return;
  await eachMutation(t, 40, async (stack, script, work) => {
    const { lower, root } = await prepareFlat(stack, join(work, "root"), helper);
    const before = await snapshot(root, { helper });
    await run("sh", ["-ec", script], { cwd: root });
    const items = await changesFromScan(root, before, lower, { helper }, nothing);
    assert.deepEqual(
      describeTree(applyItems(lower, items), comparable).slice(1),
      (await describeDirectory(root, helper, comparable)).slice(1),
    );
    checkOrder(items);
  });
});

test("what an upper directory says has changed, put on the tree of before, is the tree of after", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined || !hasBusybox(t)) return;
  await eachMutation(t, 40, async (stack, script, work) => {
    const { lower, root } = await prepareFlat(stack, join(work, "root"), helper);
    const upper = join(work, "upper");
    await mkdir(upper);
    const options = { ...comparable, locate: (path: string) => locateMerged(upper, root, path) };
    const after = await describeDirectory("", stackingHelper(helper, work, [root], script, upper), options);
    const items = await changesFromUpper(upper, lower, { helper }, nothing);
    assert.deepEqual(describeTree(applyItems(lower, items), comparable).slice(1), after.slice(1));
    checkOrder(items);
    checkNeeded(items, lower);
  });
});

function locateMerged(upper: string, lower: string, path: string): string {
  return existsRaw(`${upper}/${path}`) ? `${upper}/${path}` : `${lower}/${path}`;
}

function existsRaw(path: string): boolean {
  return lstatSync(Buffer.from(path, "latin1"), { throwIfNoEntry: false }) !== undefined;
}

/** Directories come before what they hold, nothing comes twice, every parent is there. */
function checkOrder(items: readonly LayerItem[]): void {
  const seen = new Set([""]);
  for (const { entry } of items) {
    const parent = entry.path.slice(0, Math.max(0, entry.path.lastIndexOf("/")));
    assert.ok(seen.has(parent), `${entry.path} comes before its parent`);
    assert.ok(!seen.has(entry.path), `${entry.path} comes twice`);
    assert.ok(entry.type !== "hardlink" || seen.has(entry.link), `${entry.path} is a link to what comes later`);
    seen.add(entry.path);
  }
}

/** No whiteout hides what is not there. */
function checkNeeded(items: readonly LayerItem[], lower: Tree): void {
  for (const { entry } of items) {
    const hidden = entry.path.replace(/(^|\/)\.wh\.([^/]*)$/, "$1$2");
    if (hidden !== entry.path) assert.ok(lower.lstat(hidden) !== undefined, `${entry.path} hides nothing`);
  }
}

interface Row {
  readonly name: string;
  readonly script: string;
  readonly changes: readonly string[];
  readonly exclude?: (path: string) => boolean;
}

/** Killed, as node removes a socket that it closes. */
const makeSocket = (path: string) =>
  `"${process.execPath}" -e 'require("net").createServer().listen("${path}", () => process.kill(process.pid, "SIGKILL"))' || test -S ${path}`;

/** What is there before: `d/` with two files, `e/` with a directory in it, `f` and `g` one file, `l` a symlink. */
const before =
  "mkdir -p d e/s; echo x > d/x; echo y > d/y; echo t > e/s/t; echo f > f; ln f g; ln -s d l; touch -h -d @1000 d/x d/y e/s/t f g l";

const rows: readonly Row[] = [
  { name: "nothing", script: "true", changes: [] },
  { name: "reading, and opening for writing", script: "cat d/x; (exec 3<> d/x)", changes: [] },
  { name: "a mode changed and changed back", script: "chmod 600 d/x; chmod 644 d/x", changes: [] },
  { name: "a new file in an old directory", script: "echo n > d/n", changes: ["d/ directory", "d/n file"] },
  { name: "a file made and removed", script: "echo n > d/n; rm d/n", changes: [] },
  { name: "a removed file", script: "rm d/x", changes: ["d/ directory", "d/.wh.x file"] },
  { name: "a removed directory", script: "rm -r e", changes: [".wh.e file"] },
  {
    name: "a directory removed and made again with other content",
    script: "rm -r d; mkdir d; echo n > d/n",
    changes: ["d/ directory", "d/n file", "d/.wh.x file", "d/.wh.y file"],
  },
  {
    name: "a directory below one that was made again",
    script: "rm -r e; mkdir -p e/s; echo n > e/s/n",
    changes: ["e/ directory", "e/s/ directory", "e/s/n file", "e/s/.wh.t file"],
  },
  { name: "a directory that became a file", script: "rm -r e; echo n > e", changes: ["e file"] },
  {
    name: "a file that became a directory",
    script: "rm d/x; mkdir d/x; echo n > d/x/n",
    changes: ["d/ directory", "d/x/ directory", "d/x/n file"],
  },
  { name: "a directory that became a symlink", script: "rm -r e; ln -s d e", changes: ["e symlink"] },
  { name: "another mode", script: "chmod 4755 d/x", changes: ["d/ directory", "d/x file"] },
  { name: "another mode of a directory", script: "chmod 700 e", changes: ["e/ directory"] },
  { name: "another owner", script: "chown -h 5 l", changes: ["l symlink"] },
  {
    name: "another capability",
    script: "setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 d/x",
    changes: ["d/ directory", "d/x file"],
  },
  { name: "another time", script: "touch -d @2000 d/x", changes: ["d/ directory", "d/x file"] },
  { name: "a directory's time alone", script: "touch -d @2000 d", changes: [] },
  { name: "other content of the same size and time", script: "echo z > d/x; touch -d @1000 d/x", changes: ["d/ directory", "d/x file"] },
  { name: "the same content written again at the same time", script: "rm d/x; echo x > d/x; touch -d @1000 d/x", changes: [] },
  { name: "two new names of one new file", script: "echo n > m; ln m n", changes: ["m file", "n hardlink m"] },
  { name: "a new name of an old file", script: "ln d/x d/z", changes: ["d/ directory", "d/z file"] },
  { name: "a socket", script: makeSocket("s"), changes: [] },
  {
    name: "a socket in place of a file",
    script: `rm d/x; ${makeSocket("d/x")}`,
    changes: ["d/ directory", "d/.wh.x file"],
  },
  {
    name: "several whiteouts, which overlayfs makes hard links",
    script: "rm d/x d/y e/s/t",
    changes: ["d/ directory", "d/.wh.x file", "d/.wh.y file", "e/ directory", "e/s/ directory", "e/s/.wh.t file"],
  },
  { name: "what is excluded", script: "echo n > d/x; rm d/y; rm -r e", changes: [".wh.e file"], exclude: (path) => path.startsWith("d/") },
];

function show(items: readonly LayerItem[]): string[] {
  return items.map(
    ({ entry: { path, type, link } }) => `${path}${type === "directory" ? "/" : ""} ${type}${type === "hardlink" ? ` ${link}` : ""}`,
  );
}

for (const { name, script, changes, exclude = () => false } of rows) {
  const prepare = async (t: TestContext) => {
    const helper = await rootHelper(t);
    if (helper === undefined) return undefined;
    const work = await temporary(t);
    const root = join(work, "root");
    await mkdir(root);
    await run("sh", ["-ec", before], { cwd: root });
    const state = await snapshot(root, { helper });
    const all = await changesFromScan(root, { frames: [], options: {} }, emptyTree, { helper }, { exclude: () => false });
    return { helper, work, root, state, lower: applyItems(emptyTree, all) };
  };

  test(`a scan after ${name}`, async (t) => {
    const prepared = await prepare(t);
    if (prepared === undefined) return;
    const { helper, root, state, lower } = prepared;
    await run("sh", ["-ec", script], { cwd: root });
    assert.deepEqual(show(await changesFromScan(root, state, lower, { helper }, { exclude })), changes);
  });

  test(`an upper directory after ${name}`, async (t) => {
    const prepared = await prepare(t);
    if (prepared === undefined) return;
    const { helper, work, root, lower } = prepared;
    const upper = join(work, "upper");
    await mkdir(upper);
    await describeDirectory("", stackingHelper(helper, work, [root], script, upper), { locate: (path) => locateMerged(upper, root, path) });
    assert.deepEqual(show(await changesFromUpper(upper, lower, { helper }, { exclude })), changes);
  });
}

test("a file of many names, one of which is gone, is read once", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const root = join(await temporary(t), "root");
  await mkdir(root);
  await run("sh", ["-ec", "truncate -s 4M 0; for i in $(seq 800); do ln 0 $i; done"], { cwd: root });
  const all = await changesFromScan(root, { frames: [], options: {} }, emptyTree, { helper }, nothing);
  const lower = applyItems(emptyTree, all);
  const state = await snapshot(root, { helper });
  await run("rm", ["7"], { cwd: root });
  const begun = performance.now();
  const changes = await changesFromScan(root, state, lower, { helper }, nothing);
  assert.deepEqual(
    changes.map(({ entry }) => entry.path),
    [".wh.7"],
  );
  // To read it 800 times takes far longer, also where the processor hashes 600 MB a second.
  assert.ok(performance.now() - begun < 3000);
});
