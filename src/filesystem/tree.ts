// The merged view of an image's layers, made from their indexes without unpacking any of them.

import type { Entry, LayerIndex, RawPath } from "../layer/entry.ts";
import { LayerMerge } from "./merge.ts";
import { Directory, impliedDirectory, TreeNode } from "./node.ts";
import { type FileNode, type FileView, joinPath } from "./view.ts";

/** What an image's layers come to. Immutable: putting a layer on top gives another tree, which shares what has not changed. */
export interface Tree extends FileView {
  /** How many layers there are. */
  readonly layers: number;
  /**
   * This tree with one more layer on top. Throws where the layer cannot be unpacked either: a file where a directory is needed, a
   * hard link to nothing.
   */
  with(index: Pick<LayerIndex, "entries">): Tree;
  /**
   * The same of a layer whose contents have not been read: `settle` takes its index when they have, and adds their digests to this tree
   * and to those that were made of it.
   */
  withUnread(entries: Iterable<Entry>): { readonly tree: Tree; settle(index: Pick<LayerIndex, "entries">): void };
  /** For a file: the layer that has its bytes, numbered from the bottom, and the name they have there. */
  locate(path: RawPath): Location | undefined;
  /** A directory and all below it, parents first, names in a directory by their bytes: the order of a layer that BuildKit writes. */
  walk(from?: RawPath): Iterable<{ readonly path: RawPath; readonly node: FileNode }>;
}

export interface Location {
  readonly layer: number;
  /** As `LayerFiles` takes it. */
  readonly path: RawPath;
}

/** A tree whose nodes the rest of this folder may look into. */
export class LayerTree implements Tree {
  readonly root: Directory;
  readonly layers: number;

  constructor(root: Directory, layers: number) {
    this.root = root;
    this.layers = layers;
  }

  with(index: Pick<LayerIndex, "entries">): LayerTree {
    const merge = new LayerMerge(this.root, this.layers);
    for (const entry of index.entries) merge.add(entry);
    return new LayerTree(merge.root, this.layers + 1);
  }

  withUnread(entries: Iterable<Entry>): ReturnType<Tree["withUnread"]> {
    const merge = new LayerMerge(this.root, this.layers);
    const files: (TreeNode | undefined)[] = [];
    for (const entry of entries) {
      const step = merge.add(entry);
      files.push(step.kind === "put" && entry.type === "file" ? step.node : undefined);
    }
    const settle = (index: Pick<LayerIndex, "entries">) => {
      for (const [i, { sha256 }] of index.entries.entries()) if (sha256 !== undefined) files[i]?.settle({ sha256 });
    };
    return { tree: new LayerTree(merge.root, this.layers + 1), settle };
  }

  lstat(path: RawPath): TreeNode | undefined {
    let node: TreeNode | undefined = this.root;
    if (path === "") return node;
    for (const name of path.split("/")) {
      node = node instanceof Directory ? node.children.get(name) : undefined;
      if (node === undefined) return undefined;
    }
    return node;
  }

  list(path: RawPath): readonly RawPath[] {
    const node = this.lstat(path);
    return node instanceof Directory ? sortNames(node) : [];
  }

  locate(path: RawPath): Location | undefined {
    const node = this.lstat(path);
    return node?.type === "file" ? { layer: node.layer, path: node.pathInLayer ?? path } : undefined;
  }

  *walk(from: RawPath = ""): Iterable<{ path: RawPath; node: TreeNode }> {
    const node = this.lstat(from);
    if (node === undefined) return;
    const pending = [{ path: from, node }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      yield next;
      const { path, node } = next;
      if (!(node instanceof Directory)) continue;
      for (const name of sortNames(node).reverse()) {
        const child = node.children.get(name);
        if (child !== undefined) pending.push({ path: joinPath(path, name), node: child });
      }
    }
  }
}

/** Names are latin1, so that the order of their characters is that of their bytes. */
export function sortNames(directory: Directory): RawPath[] {
  return [...directory.children.keys()].sort();
}

/** The root of an image without layers. */
export const emptyRoot = new Directory(new TreeNode(impliedDirectory, -1), { floor: -1, edition: undefined });

/** An image without layers: a root directory, 0755, of root. */
export const emptyTree: Tree = new LayerTree(emptyRoot, 0);

/** The tree of some layers, the lowest first. */
export function treeOf(indexes: readonly Pick<LayerIndex, "entries">[]): Tree {
  return indexes.reduce((tree: Tree, index) => tree.with(index), emptyTree);
}
