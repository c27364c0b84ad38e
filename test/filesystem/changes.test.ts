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
    tree = tree.with(await unpackLayer(layer, { root, form: "flat", lower }, { helper }));
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

const comparable = { directoryTimes: false, nanoseconds: false };

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
    const options = { ...comparable, links: false, locate: (path: string) => locateMerged(upper, root, path) };
    const after = await describeDirectory("", stackingHelper(helper, work, [root], script, upper), options);
    const items = await changesFromUpper(upper, lower, { helper }, nothing);
    assert.deepEqual(describeTree(applyItems(lower, items), { ...comparable, links: false }).slice(1), after.slice(1));
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
