// A layer in the making: a tree together with the entries that an instruction has put on top of it so far.

import { comparePaths, type FileNode, type FileView, joinPath, nameOf, parentOf, type Tree } from "../filesystem/filesystem.ts";
import type { Attributes, Content, Entry, LayerItem, RawPath } from "../layer/entry.ts";

interface Addition {
  readonly node: FileNode;
  readonly content: Content | undefined;
}

/** What a new entry is made from; `inode` is shared by the hard links of one file. */
export interface NewEntry {
  readonly attributes: Attributes;
  readonly content?: Content;
  readonly sha256?: string;
  readonly inode?: object;
}

/** The attributes of a directory that an instruction creates. */
export function directoryAttributes(mode: number, uid: number, gid: number, mtime: number): Attributes {
  return { type: "directory", mode, uid, gid, mtime, mtimeNs: 0, size: 0, link: "", devMajor: 0, devMinor: 0 };
}

/** A view of what the tree will be; entries put later replace earlier ones, as writes to a file system would. */
export class Draft implements FileView {
  readonly #tree: Tree;
  readonly #additions = new Map<RawPath, Addition>();
  readonly #children = new Map<RawPath, Set<RawPath>>();
  /** Directories of the tree that something else took the place of: nothing below them shines through. */
  readonly #hidden = new Set<RawPath>();

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  lstat(path: RawPath): FileNode | undefined {
    const added = this.#additions.get(path);
    if (added !== undefined) return added.node;
    return this.#isHidden(path) ? undefined : this.#tree.lstat(path);
  }

  list(path: RawPath): readonly RawPath[] {
    const below = this.#hidden.has(path) || this.#isHidden(path) ? [] : this.#tree.list(path);
    const added = this.#children.get(path);
    if (added === undefined) return below;
    return [...new Set([...below, ...added])].sort();
  }

  /** Puts an entry at a path whose parent exists. Directories over directories keep what is below them. */
  put(path: RawPath, entry: NewEntry): void {
    const before = this.lstat(path);
    if (before?.attributes.type === "directory" && entry.attributes.type !== "directory") this.remove(path);
    const { attributes, content, sha256, inode } = entry;
    const node: FileNode = { attributes, inode: inode ?? {}, ...(sha256 === undefined ? {} : { sha256 }) };
    this.#additions.set(path, { node, content });
    if (path === "") return;
    const parent = parentOf(path);
    const siblings = this.#children.get(parent);
    if (siblings === undefined) this.#children.set(parent, new Set([nameOf(path)]));
    else siblings.add(nameOf(path));
  }

  /** Creates the directories that a path lacks; all new ones get the same attributes. Throws when a file is in the way. */
  makeDirectories(path: RawPath, attributes: Attributes): void {
    let at = "";
    for (const name of path === "" ? [] : path.split("/")) {
      at = joinPath(at, name);
      const node = this.lstat(at);
      if (node === undefined) this.put(at, { attributes });
      else if (node.attributes.type !== "directory") throw new Error(`Cannot create directory "/${path}": "/${at}" is not a directory`);
    }
  }

  /**
   * The layer: what was put and is not the same below, sorted, with the parents of each entry before it as the tree has them.
   * `sameContent` decides about files whose attributes are equal on both sides.
   */
  async items(sameContent: (content: Content | undefined, sha256: string) => Promise<boolean>): Promise<LayerItem[]> {
    const items = new Map<RawPath, LayerItem>();
    const links = new Map<object, RawPath>();
    for (const [path, { node, content }] of [...this.#additions].sort(([a], [b]) => comparePaths(a, b))) {
      if (await this.#isUnchanged(path, node, content, sameContent)) continue;
      for (let parent = parentOf(path); parent !== ""; parent = parentOf(parent)) {
        const above = this.lstat(parent);
        if (!items.has(parent) && above !== undefined) items.set(parent, { entry: { ...above.attributes, path: parent } });
      }
      const first = node.attributes.type === "file" ? links.get(node.inode) : undefined;
      if (first !== undefined) {
        items.set(path, { entry: { ...node.attributes, type: "hardlink", size: 0, link: first, path } });
        continue;
      }
      links.set(node.inode, path);
      const entry: Entry = { ...node.attributes, path, ...(node.sha256 === undefined ? {} : { sha256: node.sha256 }) };
      items.set(path, content === undefined ? { entry } : { entry, content });
    }
    return [...items.values()].sort((a, b) => comparePaths(a.entry.path, b.entry.path));
  }

  async #isUnchanged(
    path: RawPath,
    node: FileNode,
    content: Content | undefined,
    sameContent: (content: Content | undefined, sha256: string) => Promise<boolean>,
  ): Promise<boolean> {
    const below = this.#isHidden(path) || this.#hidden.has(path) ? undefined : this.#tree.lstat(path);
    if (below === undefined || !sameAttributes(below.attributes, node.attributes)) return false;
    if (node.attributes.type !== "file") return true;
    if (below.sha256 === undefined) return false;
    return node.sha256 === undefined ? sameContent(content, below.sha256) : node.sha256 === below.sha256;
  }

  #isHidden(path: RawPath): boolean {
    if (this.#hidden.size === 0) return false;
    for (let at = path; at !== ""; ) {
      at = parentOf(at);
      if (this.#hidden.has(at)) return true;
    }
    return false;
  }

  /** Takes away what is at a path and below it; the layer must then put something in its place. */
  remove(path: RawPath): void {
    this.#hidden.add(path);
    for (const added of [...this.#additions.keys()]) {
      if (!added.startsWith(`${path}/`)) continue;
      this.#additions.delete(added);
      this.#children.delete(added);
    }
    this.#children.delete(path);
  }
}

/** A directory's size and time say nothing about it. */
function sameAttributes(a: Attributes, b: Attributes): boolean {
  if (a.type !== b.type || a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
  if (a.type === "directory") return sameXattrs(a, b);
  const same = a.size === b.size && a.mtime === b.mtime && a.link === b.link && a.devMajor === b.devMajor && a.devMinor === b.devMinor;
  return same && sameXattrs(a, b);
}

function sameXattrs(a: Attributes, b: Attributes): boolean {
  const name = "security.capability";
  return a.xattrs?.get(name) === b.xattrs?.get(name);
}
