// Layers on disk: stacked, flat and as a tree they are the same.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { emptyTree, openLayerFiles, scanDirectory, type Tree, treeOf, unpackLayer } from "../../src/filesystem/filesystem.ts";
import type { Helper } from "../../src/helper/helper.ts";
import { toRaw } from "../../src/layer/entry.ts";
import { indexLayer } from "../../src/layer/layer.ts";
import { describeDirectory, describeTree, rootHelper, stackingHelper, temporary, wrapHelper } from "./disk.ts";
import { entry } from "./entries.ts";
import { layerStacks } from "./stacks.ts";
import { makeLayer, type RawEntry } from "./tar.ts";

async function unpackFlat(stack: readonly RawEntry[][], root: string, helper: Helper): Promise<Tree> {
  const layers = stack.map(makeLayer);
  let tree = emptyTree;
  for (const [i, layer] of layers.entries()) {
    const lower = { tree, layers: layers.slice(0, i), files: openLayerFiles(`${root}.spool`) };
    tree = await unpackLayer(layer, { root, form: "flat", lower }, { helper });
  }
  return tree;
}

/** All layers at once, each in a directory of its own. Every other one can be read there, the rest only in its blob. */
async function unpackStacked(stack: readonly RawEntry[][], work: string, helper: Helper): Promise<{ roots: string[]; tree: Tree }> {
  const layers = stack.map(makeLayer);
  const files = openLayerFiles(join(work, "spool"));
  const trees: ReturnType<typeof unpackLayer>[] = [];
  const roots: string[] = [];
  for (const [i, layer] of layers.entries()) {
    const root = join(work, String(i));
    await mkdir(root);
    const lower = Promise.resolve(trees[i - 1] ?? emptyTree).then((tree) => ({ tree, layers: layers.slice(0, i), files }));
    const tree = unpackLayer(layer, { root, form: "overlay", lower }, { helper });
    tree.then(() => i % 2 === 0 && files.register(layer.diffId, root)).catch(() => {});
    trees.push(tree);
    roots.push(root);
  }
  const [top = emptyTree] = (await Promise.all(trees)).slice(-1);
  return { roots, tree: top };
}

async function eachStack(t: TestContext, check: (stack: RawEntry[][], work: string) => Promise<void>, numRuns: number): Promise<void> {
  const base = await temporary(t);
  await fc.assert(
    fc.asyncProperty(layerStacks(4), async (stack) => check(stack, await mkdtemp(join(base, "run-")))),
    { numRuns },
  );
}

test("the tree of layers is what they unpack to, one over the other", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  await eachStack(
    t,
    async (stack, work) => {
      const unpacked = await unpackFlat(stack, work, helper);
      const tree = treeOf(await Promise.all(stack.map((entries) => indexLayer(makeLayer(entries)))));
      assert.deepEqual(describeTree(unpacked), describeTree(tree));
      assert.deepEqual(await describeDirectory(work, helper), describeTree(tree));
    },
    60,
  );
});

test("the tree of layers is what they unpack to, side by side and stacked by overlayfs", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  await eachStack(
    t,
    async (stack, work) => {
      const { roots, tree: unpacked } = await unpackStacked(stack, work, helper);
      const tree = treeOf(await Promise.all(stack.map((entries) => indexLayer(makeLayer(entries)))));
      const upper = (path: string) => {
        const { layer = 0 } = holders.get(path) ?? {};
        return `${toRaw(roots[layer] ?? "")}/${path}`;
      };
      const holders = await findHolders(roots, helper);
      const stacked = stackingHelper(helper, work, roots);
      assert.deepEqual(
        await describeDirectory(join(work, "merged"), stacked, { links: false, locate: upper }),
        describeTree(tree, { links: false }),
      );
      assert.deepEqual(describeTree(unpacked), describeTree(tree));
    },
    60,
  );
});

/** The topmost directory that has something at a path: what overlayfs shows there. */
async function findHolders(roots: readonly string[], helper: Helper): Promise<Map<string, { layer: number }>> {
  const holders = new Map<string, { layer: number }>();
  for (const [layer, root] of roots.entries())
    for (const line of await describeDirectory(root, helper, { links: false }))
      holders.set(JSON.parse(line.slice(0, line.indexOf('" ') + 1)), { layer });
  return holders;
}

/** The helper, but a shell's script ends with its command. */
function startedBy({ path }: Helper, script: (command: string) => string): Helper {
  const quote = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");
  return { path, start: (args, options) => wrapHelper(script(quote([path, ...args])), options?.extraFds) };
}

test("a full disk is an error that names the file", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const root = await temporary(t);
  const small = startedBy(helper, (command) => `mount -t tmpfs -o size=64k tmpfs ${root} && exec ${command}`);
  const content = Buffer.alloc(1 << 20, 1);
  const layer = makeLayer([{ entry: entry("a/large", "file", { size: content.length }), content }]);
  await assert.rejects(unpackLayer(layer, { root, form: "flat" }, { helper: small }), /Cannot write "a\/large": No space left on device/);
});

test("devices that may not be made are left out, and the tree has them", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const root = await temporary(t);
  const limited = startedBy(helper, (command) => `exec setpriv --bounding-set=-mknod ${command}`);
  const content = Buffer.from("new");
  const device = entry("d", "char", { devMajor: 1, devMinor: 3 });
  const layer = makeLayer([{ entry: device }, { entry: entry("f", "file", { size: 3 }), content }, { entry: entry("p", "fifo") }]);
  const tree = await unpackLayer(layer, { root, form: "flat" }, { helper: limited });
  assert.deepEqual(readdirSync(root).sort(), ["f", "p"]);
  assert.equal(tree.lstat("d")?.attributes.type, "char");
});

test("an aborted signal ends unpacking", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const root = await temporary(t);
  const controller = new AbortController();
  const layer = makeLayer([{ entry: entry("a", "file", { size: 1 }), content: Buffer.from("x") }]);
  const endless = {
    ...layer,
    async *open() {
      yield* layer.open();
      controller.abort(new Error("enough"));
      await new Promise((resolve) => setTimeout(resolve, 10));
    },
  };
  await assert.rejects(unpackLayer(endless, { root, form: "flat" }, { helper, signal: controller.signal }), /enough|abort/);
});

test("overlayfs's own attributes in a layer do not reach the disk", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const root = await temporary(t);
  const xattrs = new Map(
    ["trusted.overlay.redirect", "trusted.overlay.opaque", "user.overlay.opaque", "security.selinux", "user.kept"].map((name) => [
      name,
      "y",
    ]),
  );
  const layer = makeLayer([{ entry: entry("d", "directory", { xattrs }) }]);
  await unpackLayer(layer, { root, form: "overlay" }, { helper });
  for await (const { path, xattrs } of scanDirectory(root, { helper }))
    if (path === "d") assert.deepEqual([...xattrs.keys()], ["user.kept"]);
});

test("a layer by itself has overlayfs's whiteouts, and the attributes that lower directories have", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const base = await temporary(t);
  const root = join(base, "root");
  await mkdir(root);
  const below = [
    makeLayer([{ entry: entry("d", "directory", { mode: 0o700, uid: 5, mtime: 9 }) }, { entry: entry("d/a") }, { entry: entry("e/b") }]),
  ];
  const tree = treeOf(await Promise.all(below.map((layer) => indexLayer(layer))));
  const lower = { tree, layers: below, files: openLayerFiles(join(base, "spool")) };
  const layer = makeLayer([
    { entry: entry("d/.wh.a") },
    { entry: entry("e", "directory") },
    { entry: entry("e/.wh..wh..opq") },
    { entry: entry(".wh.nothing") },
  ]);
  await unpackLayer(layer, { root, form: "overlay", lower }, { helper });
  const seen: unknown[] = [];
  for await (const { path, type, mode, uid, mtime, devMajor, devMinor } of scanDirectory(root, { helper }))
    seen.push([path, type, ...(type === "directory" ? [mode, uid, mtime] : [devMajor, devMinor])]);
  assert.deepEqual(seen, [
    ["", "directory", 0o755, 0, 0],
    ["d", "directory", 0o700, 5, 9],
    ["d/a", "char", 0, 0],
    ["e", "directory", 0o755, 0, 0],
    ["e/b", "char", 0, 0],
  ]);
});

test("a layer whose tree is known is unpacked all the same", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  await eachStack(
    t,
    async (stack, work) => {
      let tree = emptyTree;
      const layers = stack.map(makeLayer);
      for (const [i, layer] of layers.entries()) {
        const lower = { tree, layers: layers.slice(0, i), files: openLayerFiles(`${work}.spool`) };
        tree = tree.with(await indexLayer(layer));
        assert.equal(await unpackLayer(layer, { root: work, form: "flat", lower, tree }, { helper }), tree);
      }
      assert.deepEqual(await describeDirectory(work, helper), describeTree(tree));
    },
    20,
  );
});
