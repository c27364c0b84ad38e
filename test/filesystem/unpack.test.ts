import assert from "node:assert/strict";
import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { emptyTree, openLayerFiles, treeOf, unpackLayer } from "../../src/filesystem/filesystem.ts";
import type { Helper } from "../../src/helper/helper.ts";
import { toRaw } from "../../src/layer/entry.ts";
import { indexLayer } from "../../src/layer/layer.ts";
import { describeDirectory, describeTree, rootHelper, stackingHelper, temporary } from "./disk.ts";
import { layerStacks } from "./stacks.ts";
import { makeLayer, type RawEntry } from "./tar.ts";

async function unpackFlat(stack: readonly RawEntry[][], root: string, helper: Helper): Promise<void> {
  const layers = stack.map(makeLayer);
  let tree = emptyTree;
  for (const [i, layer] of layers.entries()) {
    const lower = { tree, layers: layers.slice(0, i), files: openLayerFiles(`${root}.spool`) };
    tree = tree.with(await unpackLayer(layer, { root, form: "flat", lower }, { helper }));
  }
}

/** All layers at once, each in a directory of its own. Every other one can be read there, the rest only in its blob. */
async function unpackStacked(stack: readonly RawEntry[][], work: string, helper: Helper): Promise<string[]> {
  const layers = stack.map(makeLayer);
  const files = openLayerFiles(join(work, "spool"));
  const indexes: ReturnType<typeof unpackLayer>[] = [];
  const roots: string[] = [];
  for (const [i, layer] of layers.entries()) {
    const root = join(work, String(i));
    await mkdir(root);
    const below = indexes.slice();
    const lower = Promise.all(below).then((indexes) => ({ tree: treeOf(indexes), layers: layers.slice(0, i), files }));
    const index = unpackLayer(layer, { root, form: "overlay", lower }, { helper });
    index.then(() => i % 2 === 0 && files.register(layer.diffId, root)).catch(() => {});
    indexes.push(index);
    roots.push(root);
  }
  await Promise.all(indexes);
  return roots;
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
      await unpackFlat(stack, work, helper);
      const tree = treeOf(await Promise.all(stack.map((entries) => indexLayer(makeLayer(entries)))));
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
      const roots = await unpackStacked(stack, work, helper);
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
